#include "ops/layout/layout.h"

#include "engine/tape.h"
#include "ops/check.h"
#include "ops/layout/layout_kernels.h"

namespace fade {
namespace {

// "a,b,c" (fmt::join would do, but GCC 12 warns falsely at it).
template <class Values>
std::string listed(const Values& values) {
  std::string out;
  for (const auto v : values) out += fmt::format("{}{}", out.empty() ? "" : ",", v);
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

// The shape of x with a dimension of size 1 more, `dim` of the result.
Shape with_one_more(const char* op, const Tensor& x, int dim) {
  check_given(op, "the input", x);
  const Shape& from = x.shape();
  const int dims = from.dims(), d = dim < 0 ? dim + dims + 1 : dim;
  if (d < 0 || d > dims)
    fail("{}: a new dimension {} of {} (allowed: {} to {})", op, dim, from.str(), -dims - 1, dims);
  Shape shape;
  for (int i = 0; i <= dims; ++i) {
    if (i == d) shape.append(1);
    if (i < dims) shape.append(from[i]);
  }
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

void broadcast_to_rule(BackwardCtx& ctx) { ctx.add(0, ctx.grad()); }  // add sums it

struct SliceAttrs {
  int dim;
  int64_t begin;
};

// Adds in place: the gradients of many slices of one tensor cost one pass over it, not one pass each.
void slice_rule(BackwardCtx& ctx) {
  if (!ctx.needs(0)) return;
  const auto [dim, begin] = ctx.attrs<SliceAttrs>();
  const Tensor &g = ctx.grad(), dx = ctx.accumulate(0);
  strided_add(g.device(), g, copy_of_part(dx.shape(), g.shape(), dim, begin).reversed(), dx);
}

// Part i lies at [begin[i], begin[i + 1]) of dimension dim.
struct ConcatAttrs {
  int dim;
  int64_t begin[kMaxInputs + 1];
};

void concat_rule(BackwardCtx& ctx) {
  const auto [dim, begin] = ctx.attrs<ConcatAttrs>();
  for (int i = 0; i < kMaxInputs; ++i)
    if (ctx.needs(i)) ctx.add(i, part_of(ctx.grad(), dim, begin[i], begin[i + 1]));
}

constexpr OpDef kReshape{"reshape", reshape_rule};
constexpr OpDef kPermute{"permute", permute_rule};
constexpr OpDef kBroadcastTo{"broadcast_to", broadcast_to_rule};
constexpr OpDef kSlice{"slice", slice_rule};
constexpr OpDef kConcat{"concat", concat_rule};

void check_some(const char* op, const std::vector<Tensor>& parts) {
  if (parts.empty()) fail("{}: there are no parts (give at least one tensor)", op);
}

}  // namespace

Tensor reshape(const Tensor& x, std::initializer_list<int64_t> shape) {
  check_given("reshape", "the input", x);
  return reshape(x, completed(x.shape(), shape));
}

Tensor reshape(const Tensor& x, const Shape& shape) {
  check_given("reshape", "the input", x);
  if (shape.numel() != x.numel())
    fail("reshape: cannot reshape {} ({} elements) to {} ({} elements)", x.shape().str(), x.numel(),
         shape.str(), shape.numel());
  Tensor y = x.view(shape);
  record(kReshape, y, {&x}, {}, x.shape());
  return y;
}

Tensor unsqueeze(const Tensor& x, int dim) { return reshape(x, with_one_more("unsqueeze", x, dim)); }

Tensor squeeze(const Tensor& x, int dim) {
  const int d = check_dim("squeeze", x, dim);
  if (x.size(d) != 1)
    fail("squeeze: dimension {} of {} has size {}, needs 1 (take one element of it with slice)", d,
         x.shape().str(), x.size(d));
  Shape shape;
  for (int i = 0; i < x.shape().dims(); ++i)
    if (i != d) shape.append(x.size(i));
  return reshape(x, shape);
}

Tensor broadcast_to(const Tensor& x, const Shape& shape) {
  check_given("broadcast_to", "the input", x);
  if (!broadcasts(x.shape(), shape))
    fail(
        "broadcast_to: {} does not broadcast to {}: from the last dimension on, its sizes must be equal or 1 "
        "(add dimensions of size 1 with unsqueeze)",
        x.shape().str(), shape.str());
  Tensor y = Tensor::empty(shape, x.dtype(), x.device());
  const Strides repeated = broadcast_strides(x.shape(), shape), plain = broadcast_strides(shape, shape);
  strided_copy(x.device(), x, {.shape = shape, .src = repeated, .dst = plain}, y);
  record(kBroadcastTo, y, {&x}, {});
  return y;
}

Tensor permute(const Tensor& x, std::initializer_list<int> order) {
  check_given("permute", "the input", x);
  const int dims = x.shape().dims();
  DimOrder o{};
  unsigned seen = 0;
  int i = 0;
  for (int d : order) {
    if (d < 0) d += dims;
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
  record(kSlice, y, {&x}, {}, SliceAttrs{.dim = d, .begin = begin});
  return y;
}

std::vector<Tensor> split(const Tensor& x, const std::vector<int64_t>& sizes, int dim) {
  const int d = check_dim("split", x, dim);
  int64_t total = 0;
  bool negative = false;
  for (const int64_t size : sizes) {
    total += size;
    negative |= size < 0;
  }
  if (negative || total != x.size(d))
    fail("split: sizes [{}] do not add up to {}, the size of dimension {} of {}", listed(sizes), x.size(d), d,
         x.shape().str());
  std::vector<Tensor> parts;
  int64_t begin = 0;
  for (const int64_t size : sizes) {
    parts.push_back(slice(x, d, begin, begin + size));
    begin += size;
  }
  return parts;
}

// Without it, {n} would be the number n.
std::vector<Tensor> split(const Tensor& x, std::initializer_list<int64_t> sizes, int dim) {
  return split(x, std::vector<int64_t>(sizes), dim);
}

std::vector<Tensor> split(const Tensor& x, int64_t size, int dim) {
  if (size < 1) fail("split: found parts of size {}, needs at least 1", size);
  std::vector<int64_t> sizes;
  int64_t left = x.size(check_dim("split", x, dim));
  do {
    sizes.push_back(std::min(size, left));
    left -= sizes.back();
  } while (left > 0);
  return split(x, sizes, dim);
}

Tensor concat(const std::vector<Tensor>& parts, int dim) {
  check_some("concat", parts);
  const size_t count = parts.size();
  if (count > kMaxInputs) {  // as many as a node holds, each of a share of the parts
    const size_t share = (count + kMaxInputs - 1) / kMaxInputs;
    std::vector<Tensor> joined;
    for (size_t i = 0; i < count; i += share) {
      const auto from = parts.begin() + static_cast<std::ptrdiff_t>(i);
      joined.push_back(concat({from, from + static_cast<std::ptrdiff_t>(std::min(share, count - i))}, dim));
    }
    return concat(joined, dim);
  }
  const int d = check_dim("concat", parts[0], dim);
  ConcatAttrs attrs{.dim = d, .begin = {}};
  Shape shape = parts[0].shape();
  for (size_t i = 0; i < count; ++i) {
    check_same_type("concat", parts[0], parts[i]);
    Shape other = parts[i].shape();
    if (other.dims() == shape.dims()) other.set(d, shape[d]);
    if (other != shape)
      fail("concat: {} and {} differ in more than dimension {} (reshape or slice one)",
           parts[0].shape().str(), parts[i].shape().str(), d);
    attrs.begin[i + 1] = attrs.begin[i] + parts[i].size(d);
  }
  shape.set(d, attrs.begin[count]);
  Tensor y = Tensor::empty(shape, parts[0].dtype(), parts[0].device());
  Tensor inputs[kMaxInputs];
  for (size_t i = 0; i < count; ++i) {
    const Tensor& x = inputs[i] = parts[i];
    strided_copy(x.device(), x, copy_of_part(shape, x.shape(), d, attrs.begin[i]).reversed(), y);
  }
  static_assert(kMaxInputs == 4);
  record(kConcat, y, {&inputs[0], &inputs[1], &inputs[2], &inputs[3]}, {}, attrs);
  return y;
}

Tensor concat(const Tensor& a, const Tensor& b, int dim) { return concat({a, b}, dim); }

Tensor stack(const std::vector<Tensor>& parts, int dim) {
  check_some("stack", parts);
  const Shape shape = with_one_more("stack", parts[0], dim);
  std::vector<Tensor> lines;
  for (const Tensor& x : parts) {
    check_same_type("stack", parts[0], x);
    if (x.shape() != parts[0].shape())
      fail("stack: {} and {} differ (reshape or slice one; concat joins along a dimension that is there)",
           parts[0].shape().str(), x.shape().str());
    lines.push_back(reshape(x, shape));
  }
  return concat(lines, dim);
}

}  // namespace fade
