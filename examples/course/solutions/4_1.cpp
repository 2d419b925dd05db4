// Chapter 4, exercise 1: ramps of other lengths.
//
// The loss falls from 1 (row 0 expired) to 0.25 (fully visible) whatever R is. A ramp of length R spreads
// this change over R positions: spans from 6 - R to 6 have a gradient. The slopes, summed up along the ramp,
// are the same -0.75. A short ramp gives a strong push to few spans, a long ramp a weak one to many.
#include "engine/tape.h"
#include "examples/course/course.h"
#include "ops/elementwise/elementwise.h"
#include "ops/expire_mask/expire_mask.h"
#include "ops/layout/layout.h"
#include "ops/masked_renorm/masked_renorm.h"
#include "ops/reduce/reduce.h"

using namespace fade;

double slope(double at, int ramp) {
  Tensor e = values({1, 1}, {at}).set_requires_grad();
  const Recording on;
  const Tensor age = Tensor::from(std::vector<int32_t>{6, 1}, {1, 2});
  const Tensor m = expire_mask(concat(e, values({1, 1}, {100}), 1), age, 1, ramp);
  const Tensor w = masked_renorm(values({1, 1, 1, 2}, {0.5, 0.5}), m);
  const Tensor error = sum(w * values({2}, {1, 0})) - values({}, {1});
  backward(error * error);
  return e.grad().item();
}

int main() {
  for (const int ramp : {2, 4, 8, 16}) {
    double area = 0, lowest = 100, strongest = 0;
    const double step = 0.001;
    for (int i = 0; i < 20000; ++i) {
      const double e = -12 + (i + 0.5) * step, g = slope(e, ramp);
      area += g * step;
      strongest = std::min(strongest, g);
      if (g != 0) lowest = std::min(lowest, e);
    }
    fmt::print("R {:2}: a gradient from e = {:.2f} on, at most {:.3f}, area {:.4f}\n", ramp, lowest,
               strongest, area);
    expect(close(area, -0.75, 1e-3), "the area is -0.75");
    expect(close(lowest, 6 - ramp, 0.01), "it begins at 6 - R");
  }
}
