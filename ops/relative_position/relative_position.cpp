#include "ops/relative_position/relative_position.h"

#include "engine/tape.h"
#include "ops/check.h"
#include "ops/relative_position/relative_position_kernels.h"

namespace fade {
namespace {

enum Saved : int { kAge };

void relative_position_rule(BackwardCtx& ctx) {
  const Tensor &g = ctx.grad(), dx = ctx.empty_for(0);
  relative_position_backward(g.device(), g, ctx.saved(kAge), dx);
  ctx.add(0, dx);
}

constexpr OpDef kRelativePosition{"relative_position", relative_position_rule};

}  // namespace

Tensor relative_position(const Tensor& by_distance, const Tensor& age) {
  check_dims("relative_position", "by_distance", by_distance, 4);
  check_dims("relative_position", "age", age, 2);
  check_shape("relative_position", "age", age, {by_distance.size(0), age.size(1)});
  check_type("relative_position", "age", age, DType::i32);
  check_same_device("relative_position", by_distance, age);
  Shape shape = by_distance.shape();
  shape.set(3, age.size(1));
  Tensor y = Tensor::empty(shape, by_distance.dtype(), by_distance.device());
  relative_position_forward(by_distance.device(), by_distance, age, y);
  record(kRelativePosition, y, {&by_distance}, {&age});
  return y;
}

}  // namespace fade
