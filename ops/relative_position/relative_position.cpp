#include "ops/relative_position/relative_position.h"

#include "engine/tape.h"
#include "ops/check.h"
#include "ops/relative_position/relative_position_kernels.h"

namespace fade {
namespace {

struct Attrs {
  int64_t distances;  // P, which neither g nor age tells
};

constexpr OpDef kRelativePosition{"relative_position", [](BackwardCtx& ctx) {
                                    const Tensor& g = ctx.grad();
                                    Shape shape = g.shape();
                                    shape.set(3, ctx.attrs<Attrs>().distances);
                                    Tensor dx = Tensor::empty(shape, g.dtype(), g.device());
                                    relative_position_backward(g.device(), g, ctx.saved(0), dx);
                                    ctx.add(0, dx);
                                  }};

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
  record(kRelativePosition, y, {&by_distance}, {&age}, Attrs{by_distance.size(3)});
  return y;
}

}  // namespace fade
