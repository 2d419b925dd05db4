#include "ops/reduce/reduce.h"

#include "engine/tape.h"
#include "ops/reduce/reduce_kernels.h"

namespace fade {
namespace {

constexpr int kAll = -1;  // in place of a dimension: all of them

ReduceSizes sizes_of(const Shape& input, int dim) {
  if (dim == kAll) return {.outer = 1, .n = input.numel(), .inner = 1};
  return {.outer = input.numel(0, dim), .n = input[dim], .inner = input.numel(dim + 1, input.dims())};
}

struct SumAttrs {
  ReduceSizes sizes;
  double factor;
};

void sum_rule(BackwardCtx& ctx) {
  const Tensor &g = ctx.grad(), dx = ctx.empty_for(0);
  const auto [sizes, factor] = ctx.attrs<SumAttrs>();
  broadcast_kernel(g.device(), g, sizes, factor, dx);
  ctx.add(0, dx);
}

enum Saved : int { kIndex };  // of max

void max_rule(BackwardCtx& ctx) {
  const Tensor &g = ctx.grad(), dx = ctx.empty_for(0);
  max_backward(g.device(), g, ctx.saved(kIndex), ctx.attrs<ReduceSizes>(), dx);
  ctx.add(0, dx);
}

constexpr OpDef kSum{"sum", sum_rule};
constexpr OpDef kMean{"mean", sum_rule};
constexpr OpDef kMax{"max", max_rule};

Shape reduced(const Shape& s, int dim, bool keep_dim) {
  Shape out;
  for (int i = 0; i < s.dims(); ++i) {
    if (i != dim && dim != kAll)
      out.append(s[i]);
    else if (keep_dim)
      out.append(1);
  }
  return out;
}

void check_not_empty(const OpDef& op, const Shape& s, ReduceSizes sizes) {
  if (sizes.n == 0)
    fail("{}: {} has no elements to reduce over (reduce over another dimension)", op.name, s.str());
}

Tensor reduce_sum(const OpDef& op, const Tensor& x, int dim, bool keep_dim) {
  const bool mean = &op == &kMean;
  const ReduceSizes sizes = sizes_of(x.shape(), dim);
  if (mean) check_not_empty(op, x.shape(), sizes);
  const SumAttrs attrs{.sizes = sizes, .factor = mean ? 1 / static_cast<double>(sizes.n) : 1};
  Tensor y = Tensor::empty(reduced(x.shape(), dim, keep_dim), x.dtype(), x.device());
  sum_kernel(x.device(), x, sizes, attrs.factor, y);
  record(op, y, {&x}, {}, attrs);
  return y;
}

}  // namespace

Tensor sum(const Tensor& x) { return reduce_sum(kSum, x, kAll, false); }
Tensor sum(const Tensor& x, int dim, bool keep_dim) {
  return reduce_sum(kSum, x, x.shape().index(dim), keep_dim);
}
Tensor mean(const Tensor& x) { return reduce_sum(kMean, x, kAll, false); }
Tensor mean(const Tensor& x, int dim, bool keep_dim) {
  return reduce_sum(kMean, x, x.shape().index(dim), keep_dim);
}

Tensor max(const Tensor& x, int dim, bool keep_dim) {
  const int d = x.shape().index(dim);
  const ReduceSizes sizes = sizes_of(x.shape(), d);
  check_not_empty(kMax, x.shape(), sizes);
  Tensor y = Tensor::empty(reduced(x.shape(), d, keep_dim), x.dtype(), x.device());
  Tensor index = Tensor::empty(y.shape(), DType::i32, x.device());
  max_forward(x.device(), x, sizes, y, index);
  record(kMax, y, {&x}, {&index}, sizes);
  return y;
}

}  // namespace fade
