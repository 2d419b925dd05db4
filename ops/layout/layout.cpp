#include "ops/layout/layout.h"

#include "engine/tape.h"
#include "ops/check.h"
#include "ops/layout/layout_kernels.h"

namespace fade {
namespace {

constexpr OpDef kReshape{"reshape",
                         [](BackwardCtx& ctx) { ctx.add(0, ctx.grad().view(ctx.attrs<Shape>())); }};

// "a,b,c" (fmt::join would do, but GCC 12 warns falsely at it).
template <class T>
std::string listed(std::initializer_list<T> values) {
  std::string out;
  for (T v : values) out += fmt::format("{}{}", out.empty() ? "" : ",", v);
  return out;
}

// The shape asked for, with a size of −1 worked out.
Shape resolve(const Shape& from, std::initializer_list<int64_t> wanted) {
  int64_t known = 1;
  int open = 0;
  for (int64_t n : wanted) n == -1 ? ++open : known *= n;
  const bool fits = open == 0   ? known == from.numel()
                    : open == 1 ? known > 0 && from.numel() % known == 0
                                : false;
  if (!fits)
    fail("reshape: {} does not take the shape [{}]: {} elements (at most one size may be -1)", from.str(),
         listed(wanted), from.numel());
  Shape shape;
  for (int64_t n : wanted) shape.append(n == -1 ? from.numel() / known : n);
  return shape;
}

Tensor permuted(const Tensor& x, Order order) {
  Shape shape;
  for (int i = 0; i < x.shape().dims(); ++i) shape.append(x.size(order.source[i]));
  Tensor y = Tensor::empty(shape, x.dtype(), x.device());
  permute_kernel(x.device(), x, order, y);
  return y;
}

constexpr OpDef kPermute{"permute", [](BackwardCtx& ctx) {
                           const auto order = ctx.attrs<Order>();
                           Order back;
                           for (int i = 0; i < ctx.grad().shape().dims(); ++i)
                             back.source[order.source[i]] = static_cast<int8_t>(i);
                           ctx.add(0, permuted(ctx.grad(), back));
                         }};

// The strips of `whole` that hold its elements [begin, begin + size of part) of dimension `dim`.
Strips strips_of_part(const Shape& whole, const Shape& part, int dim, int64_t begin) {
  const int64_t inner = whole.numel(dim + 1, whole.dims());
  return {.count = whole.numel(0, dim),
          .length = part[dim] * inner,
          .src_pitch = whole[dim] * inner,
          .src_at = begin * inner,
          .dst_pitch = part[dim] * inner,
          .dst_at = 0};
}
Strips reversed(const Strips& s) { return {s.count, s.length, s.dst_pitch, s.dst_at, s.src_pitch, s.src_at}; }

Tensor part_of(const Tensor& x, int dim, int64_t begin, int64_t end) {
  if (dim == 0) return x.rows(begin, end);
  Shape shape = x.shape();
  shape.set(dim, end - begin);
  Tensor y = Tensor::empty(shape, x.dtype(), x.device());
  copy_strips(x.device(), x, y, strips_of_part(x.shape(), shape, dim, begin));
  return y;
}

struct SliceAttrs {
  int32_t dim;
  int64_t begin;
};

// Added in place: many slices of one tensor cost one pass over it, not one each.
constexpr OpDef kSlice{"slice", [](BackwardCtx& ctx) {
                         if (!ctx.needs(0)) return;
                         const auto a = ctx.attrs<SliceAttrs>();
                         const Tensor &g = ctx.grad(), dx = ctx.accumulate(0);
                         add_strips(g.device(), g, dx,
                                    reversed(strips_of_part(dx.shape(), g.shape(), a.dim, a.begin)));
                       }};

struct ConcatAttrs {
  int32_t dim;
  int64_t first;  // size of a along dim
};

constexpr OpDef kConcat{"concat", [](BackwardCtx& ctx) {
                          const auto [dim, first] = ctx.attrs<ConcatAttrs>();
                          const Tensor& g = ctx.grad();
                          if (ctx.needs(0)) ctx.add(0, part_of(g, dim, 0, first));
                          if (ctx.needs(1)) ctx.add(1, part_of(g, dim, first, g.size(dim)));
                        }};

}  // namespace

Tensor reshape(const Tensor& x, std::initializer_list<int64_t> shape) {
  Tensor y = x.view(resolve(x.shape(), shape));
  record(kReshape, y, {&x}, {}, x.shape());
  return y;
}

Tensor permute(const Tensor& x, std::initializer_list<int> order) {
  const int dims = x.shape().dims();
  Order o;
  unsigned seen = 0;
  int i = 0;
  for (int d : order) {
    if (d < 0 || d >= dims || i >= dims || (seen >> d & 1)) break;
    seen |= 1u << d;
    o.source[i++] = static_cast<int8_t>(d);
  }
  if (i != dims || order.size() != static_cast<size_t>(dims))
    fail("permute: order [{}] does not name each dimension of {} once", listed(order), x.shape().str());
  Tensor y = permuted(x, o);
  record(kPermute, y, {&x}, {}, o);
  return y;
}

Tensor slice(const Tensor& x, int dim, int64_t begin, int64_t end) {
  const int d = x.shape().index(dim);
  if (begin < 0 || end < begin || end > x.size(d))
    fail("slice: [{},{}) is not within dimension {} of {}", begin, end, d, x.shape().str());
  Tensor y = part_of(x, d, begin, end);
  record(kSlice, y, {&x}, {}, SliceAttrs{d, begin});
  return y;
}

Tensor concat(const Tensor& a, const Tensor& b, int dim) {
  check_same_type("concat", a, b);
  const int d = a.shape().index(dim);
  Shape shape = a.shape();
  if (b.shape().dims() == shape.dims()) shape.set(d, b.size(d));
  if (b.shape() != shape)
    fail("concat: {} and {} differ in more than dimension {}", a.shape().str(), b.shape().str(), d);
  shape.set(d, a.size(d) + b.size(d));
  Tensor y = Tensor::empty(shape, a.dtype(), a.device());
  copy_strips(a.device(), a, y, reversed(strips_of_part(shape, a.shape(), d, 0)));
  copy_strips(a.device(), b, y, reversed(strips_of_part(shape, b.shape(), d, a.size(d))));
  record(kConcat, y, {&a, &b}, {}, ConcatAttrs{d, a.size(d)});
  return y;
}

}  // namespace fade
