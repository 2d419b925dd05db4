#include "ops/relative_position/relative_position.h"

#include "engine/tape.h"
#include "ops/check.h"
#include "ops/relative_position/relative_position_kernels.h"

namespace fade {
namespace {

enum Saved : int { kAge };

Tensor dby_distance(BackwardCtx& ctx, int input) {
  Tensor dx = ctx.empty_for(input);
  if (dx) relative_position_backward(dx.device(), ctx.grad(), ctx.saved(kAge), dx);
  return dx;
}

void relative_position_rule(BackwardCtx& ctx) { ctx.add(0, dby_distance(ctx, 0)); }

void add_relative_position_rule(BackwardCtx& ctx) {
  ctx.add(0, ctx.grad());
  ctx.add(1, dby_distance(ctx, 1));
}

constexpr OpDef kRelativePosition{"relative_position", relative_position_rule};
constexpr OpDef kAddRelativePosition{"add_relative_position", add_relative_position_rule};

// The shape of the result, once the operands fit each other.
Shape result_of(const OpDef& op, const Tensor& by_distance, const Tensor& age) {
  check_dims(op.name, "by_distance", by_distance, 4);
  check_dims(op.name, "age", age, 2);
  check_shape(op.name, "age", age, {by_distance.size(0), age.size(1)});
  check_type(op.name, "age", age, DType::i32);
  check_same_device(op.name, by_distance, age);
  Shape shape = by_distance.shape();
  shape.set(3, age.size(1));
  return shape;
}

}  // namespace

Tensor relative_position(const Tensor& by_distance, const Tensor& age) {
  const Shape shape = result_of(kRelativePosition, by_distance, age);
  Tensor y = Tensor::empty(shape, by_distance.dtype(), by_distance.device());
  relative_position_forward(y.device(), by_distance, age, false, y);
  record(kRelativePosition, y, {&by_distance}, {&age});
  return y;
}

Tensor add_relative_position(Tensor scores, const Tensor& by_distance, const Tensor& age) {
  const OpDef& op = kAddRelativePosition;
  check_shape(op.name, "scores", scores, result_of(op, by_distance, age));
  check_same_type(op.name, scores, by_distance);
  Tensor y = scores.sole_owner() ? scores.detach() : scores.clone();
  relative_position_forward(y.device(), by_distance, age, true, y);
  record(op, y, {&scores, &by_distance}, {&age});
  return y;
}

}  // namespace fade
