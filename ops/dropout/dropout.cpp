#include "ops/dropout/dropout.h"

#include <cmath>

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

Tensor dropout(const Tensor& x, double p, RngKey key) {
  check_given("dropout", "the input", x);
  if (!(p >= 0 && p < 1)) fail("dropout: p is {}, needs 0 <= p < 1", p);
  if (p == 0) return x;
  // uniform is a multiple k of 2^-24, so k·2^-24 ≥ p iff k ≥ ⌈p·2^24⌉: exact, and integers on every device.
  const DropoutMask mask{
      .key = key, .threshold = static_cast<uint32_t>(std::ceil(p * 0x1p24)), .factor = 1 / (1 - p)};
  Tensor y = masked(x, mask);
  record(kDropout, y, {&x}, {}, mask);
  return y;
}

}  // namespace fade
