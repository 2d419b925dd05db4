#include "ops/reduce/reduce.h"

#include "engine/tape.h"
#include "ops/reduce/reduce_kernels.h"

namespace fade {
namespace {

constexpr int kAll = -1;  // instead of a dimension: all of them

/// What the gradient rules need to know of the input.
struct Attrs {
  Shape input;
  int32_t dim;
  bool mean;

  ReduceSizes sizes() const {
    if (dim == kAll) return {1, input.numel(), 1};
    return {input.numel(0, dim), input[dim], input.numel(dim + 1, input.dims())};
  }
  double factor() const { return mean ? 1 / static_cast<double>(sizes().n) : 1; }
};

void spread(BackwardCtx& ctx) {
  const Tensor& g = ctx.grad();
  const auto a = ctx.attrs<Attrs>();
  Tensor dx = Tensor::empty(a.input, g.dtype(), g.device());
  spread_kernel(g.device(), g, a.sizes(), a.factor(), dx);
  ctx.add(0, dx);
}

constexpr OpDef kSum{"sum", spread};
constexpr OpDef kMean{"mean", spread};
constexpr OpDef kMax{"max", [](BackwardCtx& ctx) {
                       const Tensor& g = ctx.grad();
                       const auto a = ctx.attrs<Attrs>();
                       Tensor dx = Tensor::empty(a.input, g.dtype(), g.device());
                       max_backward(g.device(), g, ctx.saved(0), a.sizes(), dx);
                       ctx.add(0, dx);
                     }};

Shape reduced(const Shape& s, int dim, bool keep_dim) {
  Shape out;
  for (int i = 0; i < s.dims(); ++i)
    if (i != dim && dim != kAll)
      out.append(s[i]);
    else if (keep_dim)
      out.append(1);
  return out;
}

void check_not_empty(const OpDef& op, const Shape& s, ReduceSizes sizes) {
  if (sizes.n == 0)
    fail("{}: {} has no elements to reduce over (reduce over another dimension)", op.name, s.str());
}

Tensor reduce_sum(const OpDef& op, const Tensor& x, int dim, bool keep_dim) {
  const Attrs a{x.shape(), dim, &op == &kMean};
  if (a.mean) check_not_empty(op, x.shape(), a.sizes());
  Tensor y = Tensor::empty(reduced(x.shape(), dim, keep_dim), x.dtype(), x.device());
  sum_kernel(x.device(), x, a.sizes(), a.factor(), y);
  record(op, y, {&x}, {}, a);
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
  const Attrs a{x.shape(), x.shape().index(dim), false};
  check_not_empty(kMax, x.shape(), a.sizes());
  Tensor y = Tensor::empty(reduced(x.shape(), a.dim, keep_dim), x.dtype(), x.device());
  Tensor index = Tensor::empty(y.shape(), DType::i32, x.device());
  max_forward(x.device(), x, a.sizes(), y, index);
  record(kMax, y, {&x}, {&index}, a);
  return y;
}

}  // namespace fade
