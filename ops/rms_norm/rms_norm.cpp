#include "ops/rms_norm/rms_norm.h"

#include "engine/tape.h"
#include "ops/check.h"
#include "ops/rms_norm/rms_norm_kernels.h"

namespace fade {
namespace {

enum Saved : int { kX, kWeight, kR };

void rms_norm_rule(BackwardCtx& ctx) {
  const Tensor &g = ctx.grad(), x = ctx.saved(kX), r = ctx.saved(kR);
  if (ctx.needs(0)) {
    const Tensor dx = ctx.empty_for(0);
    rms_norm_backward(g.device(), g, x, ctx.saved(kWeight), r, dx);
    ctx.add(0, dx);
  }
  if (ctx.needs(1)) {
    const Tensor gn = Tensor::empty_like(x);
    rms_norm_weight_backward(g.device(), g, x, r, gn);
    ctx.add(1, gn);  // the weight was broadcast to all rows: the tape sums over them
  }
}

constexpr OpDef kRmsNorm{"rms_norm", rms_norm_rule};

}  // namespace

Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps) {
  check_given("rms_norm", "the input", x);
  if (x.shape().dims() == 0) fail("rms_norm: the input is a single number, needs a last dimension");
  check_shape("rms_norm", "the weight", weight, {x.size(-1)});
  check_same_type("rms_norm", x, weight);
  Tensor y = Tensor::empty_like(x);
  Tensor r = Tensor::empty({x.shape().numel(0, x.shape().dims() - 1)}, x.dtype(), x.device());
  rms_norm_forward(x.device(), x, weight, eps, y, r);
  record(kRmsNorm, y, {&x, &weight}, {&x, &weight, &r});  // saved in the order of the enum
  return y;
}

}  // namespace fade
