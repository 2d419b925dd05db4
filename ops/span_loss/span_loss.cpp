#include "ops/span_loss/span_loss.h"

#include "engine/tape.h"
#include "ops/check.h"

namespace fade {
namespace {

constexpr OpDef kSpanLoss{"span_loss", [](BackwardCtx& ctx) {
                            const Tensor span = ctx.saved(0);
                            Tensor dspan = Tensor::empty(span.shape(), span.dtype(), span.device());
                            span_loss_backward(span.device(), ctx.grad(), span, ctx.saved(1),
                                               ctx.attrs<SpanLoss>(), dspan);
                            ctx.add(0, dspan);
                          }};

}  // namespace

Tensor span_loss(const Tensor& span, const Tensor& age, int64_t block, int ramp, double coefficient) {
  check_dims("span_loss", "span", span, 2);
  check_shape("span_loss", "age", age, span.shape());
  check_type("span_loss", "age", age, DType::i32);
  if (ramp < 2) fail("span_loss: ramp {} (needs at least 2)", ramp);
  if (block < 1) fail("span_loss: block {} (needs at least 1 query)", block);
  const SpanLoss attrs{block, ramp, coefficient};
  Tensor loss = Tensor::empty({}, span.dtype(), span.device());
  span_loss_forward(span.device(), span, age, attrs, loss);
  record(kSpanLoss, loss, {&span}, {&span, &age}, attrs);
  return loss;
}

}  // namespace fade
