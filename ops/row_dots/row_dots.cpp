#include "ops/row_dots/row_dots.h"

#include "engine/tape.h"
#include "ops/check.h"
#include "ops/row_dots/row_dots_kernels.h"

namespace fade {
namespace {

enum Saved : int { kTop, kBottom, kWeight };

void row_dots_rule(BackwardCtx& ctx) {
  const Tensor dtop = ctx.empty_for(0), dbottom = ctx.empty_for(1), dweight = ctx.empty_for(2);
  row_dots_backward(ctx.grad().device(), ctx.grad(), ctx.saved(kTop), ctx.saved(kBottom), ctx.saved(kWeight),
                    dtop, dbottom, dweight);
  ctx.add(0, dtop);
  ctx.add(1, dbottom);
  ctx.add(2, dweight);
}

constexpr OpDef kRowDots{"row_dots", row_dots_rule};

}  // namespace

Tensor row_dots(const Tensor& top, const Tensor& bottom, const Tensor& weight) {
  check_dims("row_dots", "top", top, 2);
  check_dims("row_dots", "bottom", bottom, 2);
  check_shape("row_dots", "weight", weight, {1, top.size(1)});
  check_shape("row_dots", "bottom", bottom, {bottom.size(0), top.size(1)});
  check_same_type("row_dots", top, bottom);
  check_parameter_type("row_dots", "weight", top, weight);
  Tensor y = Tensor::empty({top.size(0) + bottom.size(0), 1}, weight.dtype(), top.device());
  row_dots_forward(top.device(), top, bottom, weight, y);
  record(kRowDots, y, {&top, &bottom, &weight}, {&top, &bottom, &weight});
  return y;
}

}  // namespace fade
