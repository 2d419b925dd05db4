#include "ops/dropout/dropout.h"

#include "engine/tape.h"
#include "ops/check.h"
#include "ops/dropout/dropout_kernels.h"

namespace fade {
namespace {

Tensor masked(const Tensor& x, const DropoutMask& mask) {
  Tensor y = Tensor::empty_like(x);
  dropout_kernel(x.device(), x, mask, y);
  return y;
}

void dropout_rule(BackwardCtx& ctx) { ctx.add(0, masked(ctx.grad(), ctx.attrs<DropoutMask>())); }

constexpr OpDef kDropout{"dropout", dropout_rule};

}  // namespace

Tensor dropout(const Tensor& x, const DropoutDraw& draw) {
  check_given("dropout", "the input", x);
  const DropoutMask mask = dropout_mask("dropout", draw);
  if (draw.p == 0) return x;
  Tensor y = masked(x, mask);
  record(kDropout, y, {&x}, {}, mask);
  return y;
}

}  // namespace fade
