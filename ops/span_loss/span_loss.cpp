#include "ops/span_loss/span_loss.h"

#include "engine/tape.h"
#include "ops/expire_mask/row_spans.h"
#include "ops/span_loss/span_loss_kernels.h"

namespace fade {
namespace {

enum Saved : int { kSpan, kAge };

void span_loss_rule(BackwardCtx& ctx) {
  const Tensor span = ctx.saved(kSpan), dspan = Tensor::empty_like(span);
  span_loss_backward(span.device(), ctx.grad(), span, ctx.saved(kAge), ctx.attrs<SpanLoss>(), dspan);
  ctx.add(0, dspan);
}

constexpr OpDef kSpanLoss{"span_loss", span_loss_rule};

}  // namespace

Tensor span_loss(const Tensor& span, const Tensor& age, int64_t block, int ramp, double coefficient) {
  check_row_spans("span_loss", span, age, ramp);
  if (block < 1) fail("span_loss: block {} (needs at least 1 query)", block);
  const SpanLoss attrs{.block = static_cast<int32_t>(block), .ramp = ramp, .coefficient = coefficient};
  Tensor loss = Tensor::empty({}, span.dtype(), span.device());
  span_loss_forward(span.device(), span, age, attrs, loss);
  record(kSpanLoss, loss, {&span}, {&span, &age}, attrs);
  return loss;
}

}  // namespace fade
