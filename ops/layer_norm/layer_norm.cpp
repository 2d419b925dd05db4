#include "ops/layer_norm/layer_norm.h"

#include "engine/tape.h"
#include "ops/check.h"
#include "ops/layer_norm/layer_norm_kernels.h"

namespace fade {
namespace {

enum Saved : int { kX, kWeight, kMean, kRstd };

void layer_norm_rule(BackwardCtx& ctx) {
  const Tensor dx = ctx.empty_for(0), dweight = ctx.empty_for(1), dbias = ctx.empty_for(2);
  layer_norm_backward(ctx.grad().device(), ctx.grad(), ctx.saved(kX), ctx.saved(kWeight), ctx.saved(kMean),
                      ctx.saved(kRstd), dx, dweight, dbias);
  ctx.add(0, dx);
  ctx.add(1, dweight);
  ctx.add(2, dbias);
}

constexpr OpDef kLayerNorm{"layer_norm", layer_norm_rule};

}  // namespace

Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  check_given("layer_norm", "the input", x);
  if (x.shape().dims() == 0) fail("layer_norm: the input is a single number, needs a last dimension");
  check_shape("layer_norm", "the weight", weight, {x.size(-1)});
  check_shape("layer_norm", "the bias", bias, {x.size(-1)});
  check_same_type("layer_norm", x, weight);
  check_same_type("layer_norm", x, bias);
  Tensor y = Tensor::empty_like(x);
  Tensor mean = Tensor::empty({x.shape().numel(0, x.shape().dims() - 1)}, x.dtype(), x.device());
  Tensor rstd = Tensor::empty_like(mean);
  layer_norm_forward(x.device(), x, weight, bias, eps, y, mean, rstd);
  record(kLayerNorm, y, {&x, &weight, &bias}, {&x, &weight, &mean, &rstd});
  return y;
}

}  // namespace fade
