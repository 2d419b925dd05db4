#include "ops/layer_norm/layer_norm.h"

#include "engine/tape.h"
#include "ops/check.h"
#include "ops/layer_norm/layer_norm_kernels.h"

namespace fade {
namespace {

enum Saved : int { kX, kWeight, kMean, kRstd };

// Of an operation whose inputs are `summands`, then weight and bias.
template <int summands>
void layer_norm_rule(BackwardCtx& ctx) {
  Tensor dx = ctx.empty_for(0);
  if (summands > 1 && !dx) dx = ctx.empty_for(1);
  const Tensor dweight = ctx.empty_for(summands), dbias = ctx.empty_for(summands + 1);
  layer_norm_backward(ctx.grad().device(), ctx.grad(), ctx.saved(kX), ctx.saved(kWeight), ctx.saved(kMean),
                      ctx.saved(kRstd), dx, dweight, dbias);
  for (int i = 0; i < summands; ++i) ctx.add(i, dx);
  ctx.add(summands, dweight);
  ctx.add(summands + 1, dbias);
}

constexpr OpDef kLayerNorm{"layer_norm", layer_norm_rule<1>};
constexpr OpDef kAddLayerNorm{"add_layer_norm", layer_norm_rule<2>};

void check(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  check_given(op, "the input", x);
  if (x.shape().dims() == 0) fail("{}: the input is a single number, needs a last dimension", op);
  check_shape(op, "the weight", weight, {x.size(-1)});
  check_shape(op, "the bias", bias, {x.size(-1)});
  check_parameter_type(op, "the weight", x, weight);
  check_parameter_type(op, "the bias", x, bias);
}

// mean and rstd of each row of x.
struct Statistics {
  Tensor mean, rstd;
  Statistics(const Tensor& x, DType type)
      : mean(Tensor::empty({x.shape().numel(0, x.shape().dims() - 1)}, type, x.device())),
        rstd(Tensor::empty_like(mean)) {}
};

}  // namespace

Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  check("layer_norm", x, weight, bias);
  Tensor y = Tensor::empty_like(x);
  const Statistics of(x, weight.dtype());
  layer_norm_forward(x.device(), x, {}, weight, bias, eps, {}, y, of.mean, of.rstd);
  record(kLayerNorm, y, {&x, &weight, &bias}, {&x, &weight, &of.mean, &of.rstd});
  return y;
}

Tensor add_layer_norm(const Tensor& x, const Tensor& residual, const Tensor& weight, const Tensor& bias,
                      double eps) {
  check("add_layer_norm", x, weight, bias);
  check_same_type("add_layer_norm", x, residual);
  check_shape("add_layer_norm", "the residual", residual, x.shape());
  Tensor y = Tensor::empty_like(x);
  const Tensor sum = Tensor::empty_like(x);
  const Statistics of(x, weight.dtype());
  layer_norm_forward(x.device(), x, residual, weight, bias, eps, sum, y, of.mean, of.rstd);
  record(kAddLayerNorm, y, {&x, &residual, &weight, &bias}, {&sum, &weight, &of.mean, &of.rstd});
  return y;
}

}  // namespace fade
