// Chapter 1, exercise 1: the gradient of the squared error at a = 1, b = 1, by hand and from the tape.
//
// The line gives 2, 3, 4 and should give 3, 5, 7: the errors are e = -1, -2, -3.
//   d mean(e²)/da = 2/3·Σ e·x = 2/3·(-1·1 - 2·2 - 3·3) = -28/3
//   d mean(e²)/db = 2/3·Σ e   = 2/3·(-1 - 2 - 3)       = -4
#include "engine/tape.h"
#include "examples/course/course.h"
#include "ops/elementwise/elementwise.h"
#include "ops/reduce/reduce.h"

using namespace fade;

int main() {
  const Tensor x = values({3}, {1, 2, 3}), y = values({3}, {3, 5, 7});
  const Tensor a = values({}, {1}).set_requires_grad(), b = values({}, {1}).set_requires_grad();
  const Recording on;
  const Tensor e = x * a + b - y;
  backward(mean(e * e));
  expect(close(a.grad().item(), -28.0 / 3), "a.grad is -28/3");
  expect(close(b.grad().item(), -4), "b.grad is -4");
}
