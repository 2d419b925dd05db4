// Chapter 1, exercise 3: h2 = a·h1 + x2 with h1 = a·h0 + x1, recorded on one tape and on two.
//
//   one tape:   dh2/da = h1 + a·dh1/da = h1 + a·h0
//   two tapes:  dh2/da = h1: what the first tape computed is a constant for the second
#include "engine/tape.h"
#include "examples/course/course.h"
#include "ops/elementwise/elementwise.h"

using namespace fade;

int main() {
  const double h0 = 3, x1 = 1, x2 = 4, a0 = 0.5, h1 = a0 * h0 + x1;
  const Tensor a = values({}, {a0}).set_requires_grad();
  const auto step = [&](const Tensor& h, double x) { return a * h + values({}, {x}); };

  {
    const Recording on;
    backward(step(step(values({}, {h0}), x1), x2));
  }
  expect(close(a.grad().item(), h1 + a0 * h0), "one tape: h1 + a·h0");

  a.zero_grad();
  Tensor h = values({}, {h0});
  for (const double x : {x1, x2}) {
    const Recording on;
    a.zero_grad();
    h = step(h, x);
    backward(h);
  }
  expect(close(a.grad().item(), h1), "two tapes: the last step's gradient is h1 alone");
}
