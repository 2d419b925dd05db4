// Chapter 2, exercise 3: the rule of a/b is da = g/b, db = -g·a/b². With db = -g/b, the factor a/b is
// missing, which is 1 where a = b. A check at such inputs cannot see it. The same holds for any inputs with a
// pattern: zeros hide every term that is a product with them. Check at random inputs.
#include "engine/tape.h"
#include "examples/course/course.h"
#include "ops/elementwise/elementwise.h"

using namespace fade;

enum Saved : int { kA, kB };

void wrong_ratio_rule(BackwardCtx& ctx) {
  ctx.add(0, ctx.grad() / ctx.saved(kB));
  ctx.add(1, -ctx.grad() / ctx.saved(kB));
}
constexpr OpDef kWrongRatio{"wrong_ratio", wrong_ratio_rule};

Tensor ratio(const Tensor& a, const Tensor& b) {
  Tensor y;
  {
    const NoGrad off;
    y = a / b;
  }
  record(kWrongRatio, y, {&a, &b}, {&a, &b});
  return y;
}

// True iff the gradients at (a, b) agree with central differences.
bool passes(double a, double b) {
  const Tensor ta = values({}, {a}).set_requires_grad(), tb = values({}, {b}).set_requires_grad();
  {
    const Recording on;
    backward(ratio(ta, tb));
  }
  const double h = 1e-5;
  const double da = ((a + h) / b - (a - h) / b) / (2 * h), db = (a / (b + h) - a / (b - h)) / (2 * h);
  return close(ta.grad().item(), da, 1e-8) && close(tb.grad().item(), db, 1e-8);
}

int main() {
  expect(passes(2, 2), "at a = b = 2 the wrong rule passes");
  expect(passes(-0.7, -0.7), "at a = b = -0.7, too");
  expect(!passes(2, 3), "at a = 2, b = 3 it is found");
  expect(!passes(0, 3), "at a = 0 it is found, as the right db is 0 there");
}
