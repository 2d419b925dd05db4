#include "ops/expire_mask/expire_mask.h"

#include "engine/tape.h"
#include "ops/check.h"

namespace fade {
namespace {

constexpr OpDef kExpireMask{"expire_mask", [](BackwardCtx& ctx) {
                              const Tensor span = ctx.saved(0);
                              Tensor dspan = Tensor::empty(span.shape(), span.dtype(), span.device());
                              expire_mask_backward(span.device(), ctx.grad(), span, ctx.saved(1),
                                                   ctx.attrs<int>(), dspan);
                              ctx.add(0, dspan);
                            }};

}  // namespace

Tensor expire_mask(const Tensor& span, const Tensor& age, int64_t block, int ramp) {
  check_dims("expire_mask", "span", span, 2);
  check_shape("expire_mask", "age", age, span.shape());
  check_type("expire_mask", "age", age, DType::i32);
  if (ramp < 2) fail("expire_mask: ramp {} (needs at least 2)", ramp);
  Tensor m = Tensor::empty({span.size(0), block, span.size(1)}, span.dtype(), span.device());
  expire_mask_forward(span.device(), span, age, ramp, m);
  record(kExpireMask, m, {&span}, {&span, &age}, ramp);
  return m;
}

}  // namespace fade
