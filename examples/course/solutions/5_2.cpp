// Chapter 5, exercise 2: where the span of row 0 has a gradient.
//
// At distance 3, the ramp −R ≤ e − 3 ≤ 0 is 1 ≤ e ≤ 3. Attention's part passes at both ends, as in PyTorch's
// clamp. The auxiliary loss counts 0 < m < 1 only, without the ends.
#include "engine/tape.h"
#include "examples/course/course.h"
#include "ops/elementwise/elementwise.h"
#include "ops/expire_mask/expire_mask.h"
#include "ops/masked_renorm/masked_renorm.h"
#include "ops/reduce/reduce.h"
#include "ops/span_loss/span_loss.h"

using namespace fade;

enum class Part { attention, auxiliary };

/// One part of de_0.
double gradient(double span, Part part) {
  const Tensor e = values({1, 2}, {span, 3}).set_requires_grad();
  const Tensor age = Tensor::from(std::vector<int32_t>{3, 1}, {1, 2});
  const Recording on;
  const Tensor w = masked_renorm(values({1, 1, 1, 2}, {0.6, 0.4}), expire_mask(e, age, 1, 2));
  const Tensor attention = sum(w * values({1, 1, 1, 2}, {2, -1}));
  backward(part == Part::attention ? attention : span_loss(e, age, 1, 2, 0.1));
  return e.grad().to_vector<double>()[0];
}

int main() {
  for (const double e : {0.5, 1.0, 2.0, 3.0, 3.5}) {
    const double attention = gradient(e, Part::attention), auxiliary = gradient(e, Part::auxiliary);
    fmt::print("e_0 = {}: attention {:.6f}, auxiliary {:.6f}\n", e, attention, auxiliary);
    expect((attention != 0) == (e >= 1 && e <= 3), "attention: on the ramp, both ends included");
    expect((auxiliary != 0) == (e > 1 && e < 3), "auxiliary: on the ramp, without the ends");
  }
}
