// Chapter 1, exercise 2: tensors that are changed between forward and backward.
//
// The rule of mul for x·a is dx = g·a, da = g·x. Node 0 has saved both factors, but x is a constant: only da
// is computed, which reads x. A changed x is noticed. a and b are read by no rule, so a change does no harm:
// both gradients are those of the old values, as they should be.
#include "engine/tape.h"
#include "examples/course/course.h"
#include "ops/elementwise/elementwise.h"
#include "ops/reduce/reduce.h"

using namespace fade;

int main() {
  const Tensor x = values({3}, {1, 2, 3});
  const Tensor a = values({}, {1}).set_requires_grad(), b = values({}, {1}).set_requires_grad();

  // The message of the error with which backward ends when `changed` is written to before it; empty
  // if it works.
  const auto error_after_a_change_of = [&](const Tensor& changed) -> std::string {
    const Recording on;
    const Tensor e = x * a + b;
    const Tensor loss = mean(e * e);
    changed.mutate<double>()[0] = 5;
    try {
      backward(loss);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };

  expect(error_after_a_change_of(a).empty(), "a changed: backward works");
  expect(close(a.grad().item(), 2.0 / 3 * (2 * 1 + 3 * 2 + 4 * 3)), "the gradient is the one at the old a");
  expect(error_after_a_change_of(b).empty(), "b changed: backward works");
  a.zero_grad();
  const std::string message = error_after_a_change_of(x);
  expect(message.find("modified in place") != std::string::npos, "x changed: " + message);
  expect(!a.grad(), "a backward that fails adds no gradient");
}
