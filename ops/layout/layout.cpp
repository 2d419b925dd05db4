#include "ops/layout/layout.h"

#include "engine/tape.h"
#include "ops/check.h"
#include "ops/layout/layout_kernels.h"

namespace fade {
namespace {

// "a,b,c" (fmt::join would do, but GCC 12 warns falsely at it).
template <class T>
std::string listed(std::initializer_list<T> values) {
  std::string out;
  for (T v : values) out += fmt::format("{}{}", out.empty() ? "" : ",", v);
  return out;
}

// The shape asked for, with a size of −1 computed.
Shape completed(const Shape& from, std::initializer_list<int64_t> wanted) {
  int64_t known = 1;
  int open = 0;
  for (int64_t n : wanted) n == -1 ? ++open : known *= n;
  const bool fits = open == 0   ? known == from.numel()
                    : open == 1 ? known > 0 && from.numel() % known == 0
                                : false;
  if (!fits)
    fail("reshape: cannot reshape {} ({} elements) to [{}] (at most one size may be -1)", from.str(),
         from.numel(), listed(wanted));
  Shape shape;
  for (int64_t n : wanted) shape.append(n == -1 ? from.numel() / known : n);
  return shape;
}

using DimOrder = std::array<int, kMaxDims>;  // y's dimension i is x's dimension order[i]

Tensor permuted(const Tensor& x, const DimOrder& order) {
  const Strides of_x = broadcast_strides(x.shape(), x.shape());
  Shape shape;
  Strides strides{};
  for (int i = 0; i < x.shape().dims(); ++i) {
    shape.append(x.size(order[i]));
    strides[i] = of_x[order[i]];
  }
  Tensor y = Tensor::empty(shape, x.dtype(), x.device());
  strided_copy(x.device(), x, {.shape = shape, .src = strides, .dst = broadcast_strides(shape, shape)}, y);
  return y;
}

// Copies elements [begin, begin + size of part) of dimension `dim` of `whole` to `part`.
StridedCopy copy_of_part(const Shape& whole, const Shape& part, int dim, int64_t begin) {
  return {.shape = part,
          .src = broadcast_strides(whole, whole),
          .dst = broadcast_strides(part, part),
          .src_at = begin * whole.numel(dim + 1, whole.dims())};
}

Tensor part_of(const Tensor& x, int dim, int64_t begin, int64_t end) {
  if (dim == 0) return x.rows(begin, end);
  Shape shape = x.shape();
  shape.set(dim, end - begin);
  Tensor y = Tensor::empty(shape, x.dtype(), x.device());
  strided_copy(x.device(), x, copy_of_part(x.shape(), shape, dim, begin), y);
  return y;
}

void reshape_rule(BackwardCtx& ctx) { ctx.add(0, ctx.grad().view(ctx.attrs<Shape>())); }

void permute_rule(BackwardCtx& ctx) {
  const auto order = ctx.attrs<DimOrder>();
  DimOrder back{};
  for (int i = 0; i < ctx.grad().shape().dims(); ++i) back[order[i]] = i;
  ctx.add(0, permuted(ctx.grad(), back));
}

struct Split {
  int dim;
  int64_t begin;  // along dim: of the slice, or of the second of two joined tensors
};

// Adds in place: the gradients of many slices of one tensor cost one pass over it, not one pass each.
void slice_rule(BackwardCtx& ctx) {
  if (!ctx.needs(0)) return;
  const auto [dim, begin] = ctx.attrs<Split>();
  const Tensor &g = ctx.grad(), dx = ctx.accumulate(0);
  strided_add(g.device(), g, copy_of_part(dx.shape(), g.shape(), dim, begin).reversed(), dx);
}

void concat_rule(BackwardCtx& ctx) {
  const auto [dim, begin] = ctx.attrs<Split>();
  const Tensor& g = ctx.grad();
  if (ctx.needs(0)) ctx.add(0, part_of(g, dim, 0, begin));
  if (ctx.needs(1)) ctx.add(1, part_of(g, dim, begin, g.size(dim)));
}

constexpr OpDef kReshape{"reshape", reshape_rule};
constexpr OpDef kPermute{"permute", permute_rule};
constexpr OpDef kSlice{"slice", slice_rule};
constexpr OpDef kConcat{"concat", concat_rule};

}  // namespace

Tensor reshape(const Tensor& x, std::initializer_list<int64_t> shape) {
  check_given("reshape", "the input", x);
  Tensor y = x.view(completed(x.shape(), shape));
  record(kReshape, y, {&x}, {}, x.shape());
  return y;
}

Tensor permute(const Tensor& x, std::initializer_list<int> order) {
  check_given("permute", "the input", x);
  const int dims = x.shape().dims();
  DimOrder o{};
  unsigned seen = 0;
  int i = 0;
  for (int d : order) {
    if (d < 0 || d >= dims || i >= dims || (seen >> d & 1)) break;
    seen |= 1u << d;
    o[i++] = d;
  }
  if (i != dims || order.size() != static_cast<size_t>(dims))
    fail("permute: order [{}] does not name each dimension of {} once", listed(order), x.shape().str());
  Tensor y = permuted(x, o);
  record(kPermute, y, {&x}, {}, o);
  return y;
}

Tensor slice(const Tensor& x, int dim, int64_t begin, int64_t end) {
  const int d = check_dim("slice", x, dim);
  if (begin < 0 || end < begin || end > x.size(d))
    fail("slice: [{},{}) is not within dimension {} of {}", begin, end, d, x.shape().str());
  Tensor y = part_of(x, d, begin, end);
  record(kSlice, y, {&x}, {}, Split{.dim = d, .begin = begin});
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
  strided_copy(a.device(), a, copy_of_part(shape, a.shape(), d, 0).reversed(), y);
  strided_copy(a.device(), b, copy_of_part(shape, b.shape(), d, a.size(d)).reversed(), y);
  record(kConcat, y, {&a, &b}, {}, Split{.dim = d, .begin = a.size(d)});
  return y;
}

}  // namespace fade
