#include "ops/reduce/reduce.h"

#include <limits>

#include "engine/tape.h"
#include "ops/check.h"
#include "ops/reduce/reduce_kernels.h"

namespace fade {
namespace {

constexpr int kAll = -1;  // in place of a dimension: all of them

Along sizes_of(const Shape& input, int dim) {
  return dim == kAll ? Along{.outer = 1, .n = input.numel(), .inner = 1} : along(input, dim);
}

struct SumAttrs {
  Along sizes;
  double factor;
};

void sum_rule(BackwardCtx& ctx) {
  const Tensor &g = ctx.grad(), dx = ctx.empty_for(0);
  const auto [sizes, factor] = ctx.attrs<SumAttrs>();
  broadcast_kernel(g.device(), g, sizes, factor, dx);
  ctx.add(0, dx);
}

enum Saved : int { kIndex };  // of max and min

void extreme_rule(BackwardCtx& ctx) {
  const Tensor &g = ctx.grad(), dx = ctx.empty_for(0);
  extreme_backward(g.device(), g, ctx.saved(kIndex), ctx.attrs<Along>(), dx);
  ctx.add(0, dx);
}

constexpr OpDef kSum{"sum", sum_rule};
constexpr OpDef kMean{"mean", sum_rule};
constexpr OpDef kMax{"max", extreme_rule};
constexpr OpDef kMin{"min", extreme_rule};

void check_not_empty(const char* op, const Shape& s, Along sizes) {
  if (sizes.n == 0)
    fail("{}: {} has no elements to reduce over (reduce over another dimension)", op, s.str());
}

Tensor reduce_sum(const OpDef& op, const Tensor& x, int dim, bool keep_dim) {
  check_given(op.name, "the input", x);
  const bool mean = &op == &kMean;
  const Along sizes = sizes_of(x.shape(), dim);
  if (mean) check_not_empty(op.name, x.shape(), sizes);
  const SumAttrs attrs{.sizes = sizes, .factor = mean ? 1 / static_cast<double>(sizes.n) : 1};
  Tensor y = Tensor::empty(dim == kAll ? Shape{} : reduced(x.shape(), dim, keep_dim), x.dtype(), x.device());
  sum_kernel(x.device(), x, sizes, attrs.factor, y);
  record(op, y, {&x}, {}, attrs);
  return y;
}

struct Found {
  Tensor value, index;
};

// The extreme elements along dimension d, and their places. Those are i32: a longer line would get wrong ones.
Found extremes(const char* op, const Tensor& x, int d, bool keep_dim, Extreme which) {
  const Along sizes = sizes_of(x.shape(), d);
  check_not_empty(op, x.shape(), sizes);
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  if (sizes.n > kMost)
    fail("{}: dimension {} of {} has {} elements, places are counted up to {} (reduce parts of it: split)",
         op, d, x.shape().str(), sizes.n, kMost);
  const Shape shape = reduced(x.shape(), d, keep_dim);
  Found found{Tensor::empty(shape, x.dtype(), x.device()), Tensor::empty(shape, DType::i32, x.device())};
  extreme_forward(x.device(), op, x, sizes, which, found.value, found.index);
  return found;
}

Tensor extreme(const OpDef& op, const Tensor& x, int dim, bool keep_dim, Extreme which) {
  const int d = check_dim(op.name, x, dim);
  auto [y, index] = extremes(op.name, x, d, keep_dim, which);
  record(op, y, {&x}, {&index}, sizes_of(x.shape(), d));
  return y;
}

}  // namespace

Tensor sum(const Tensor& x) { return reduce_sum(kSum, x, kAll, false); }
Tensor sum(const Tensor& x, int dim, bool keep_dim) {
  return reduce_sum(kSum, x, check_dim(kSum.name, x, dim), keep_dim);
}
Tensor mean(const Tensor& x) { return reduce_sum(kMean, x, kAll, false); }
Tensor mean(const Tensor& x, int dim, bool keep_dim) {
  return reduce_sum(kMean, x, check_dim(kMean.name, x, dim), keep_dim);
}

Tensor max(const Tensor& x, int dim, bool keep_dim) {
  return extreme(kMax, x, dim, keep_dim, Extreme::largest);
}
Tensor min(const Tensor& x, int dim, bool keep_dim) {
  return extreme(kMin, x, dim, keep_dim, Extreme::smallest);
}
Tensor argmax(const Tensor& x, int dim, bool keep_dim) {
  return extremes("argmax", x, check_dim("argmax", x, dim), keep_dim, Extreme::largest).index;
}
Tensor argmin(const Tensor& x, int dim, bool keep_dim) {
  return extremes("argmin", x, check_dim("argmin", x, dim), keep_dim, Extreme::smallest).index;
}

}  // namespace fade
