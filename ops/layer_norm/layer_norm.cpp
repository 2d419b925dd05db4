#include "ops/layer_norm/layer_norm.h"

#include "engine/tape.h"
#include "ops/check.h"
#include "ops/layer_norm/layer_norm_kernels.h"

namespace fade {
namespace {

Tensor like_if(bool wanted, const Tensor& x) {
  return wanted ? Tensor::empty(x.shape(), x.dtype(), x.device()) : Tensor{};
}

constexpr OpDef kLayerNorm{"layer_norm", [](BackwardCtx& ctx) {
                             const Tensor &g = ctx.grad(), x = ctx.saved(0), weight = ctx.saved(1);
                             const LayerNormGrads out{like_if(ctx.needs(0), x), like_if(ctx.needs(1), weight),
                                                      like_if(ctx.needs(2), weight)};
                             layer_norm_backward(g.device(), g, x, weight, ctx.saved(2), ctx.saved(3), out);
                             ctx.add(0, out.x);
                             ctx.add(1, out.weight);
                             ctx.add(2, out.bias);
                           }};

}  // namespace

Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  if (x.shape().dims() == 0) fail("layer_norm: the input is a single number, needs a last dimension");
  check_shape("layer_norm", "the weight", weight, {x.size(-1)});
  check_shape("layer_norm", "the bias", bias, {x.size(-1)});
  check_same_type("layer_norm", x, weight);
  check_same_type("layer_norm", x, bias);
  const Shape rows{x.shape().numel(0, x.shape().dims() - 1)};
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  Tensor mean = Tensor::empty(rows, x.dtype(), x.device());
  Tensor rstd = Tensor::empty(rows, x.dtype(), x.device());
  layer_norm_forward(x.device(), x, weight, bias, eps, y, mean, rstd);
  record(kLayerNorm, y, {&x, &weight, &bias}, {&x, &weight, &mean, &rstd});
  return y;
}

}  // namespace fade
