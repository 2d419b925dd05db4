// Chapter 4, exercise 2: a sigmoid instead of the ramp, m = 1/(1 + exp(-(e - distance)/τ)).
//
// It has a gradient everywhere, also for rows that are long gone. But it is nowhere 0: a deleted row was
// still seen a little by every later query, so deleting it changes every later result. The ramp ends at 0,
// and a row can be deleted without a trace. What it costs: an expired row has no gradient.
#include "engine/tape.h"
#include "examples/course/course.h"
#include "ops/elementwise/elementwise.h"
#include "ops/expire_mask/expire_mask.h"
#include "ops/masked_renorm/masked_renorm.h"
#include "ops/reduce/reduce.h"

using namespace fade;

constexpr double kTau = 1;

// The mask of one row with span e [1, 1], seen from `distance`.
Tensor sigmoid_mask(const Tensor& e, int32_t distance) {
  return sigmoid((e - values({}, {static_cast<double>(distance)})) * (1 / kTau));
}
Tensor ramp_mask(const Tensor& e, int32_t distance) {
  return expire_mask(e, Tensor::from(std::vector<int32_t>{distance}, {1, 1}), 1, 4);
}

// What a query reads from the row (value 1) and from another one (value 0), both with weight 0.5.
double reads(double mask) { return 0.5 * mask / (0.5 * mask + 0.5); }

int main() {
  for (const int32_t distance : {8, 16, 24}) {
    Tensor e = values({1, 1}, {3}).set_requires_grad();
    const auto slope = [&](const auto& mask) {
      const Recording on;
      e.zero_grad();
      const Tensor m = mask(e, distance);
      backward(sum(m));
      return std::pair{m.item(), e.grad().item()};
    };
    const auto [soft, soft_slope] = slope(sigmoid_mask);
    const auto [ramp, ramp_slope] = slope(ramp_mask);
    fmt::print("distance {:2}: sigmoid m {:.2e}, slope {:.2e}   ramp m {}, slope {}\n", distance, soft,
               soft_slope, ramp, ramp_slope);
    expect(soft_slope > 0 && ramp_slope == 0, "only the sigmoid still has a gradient");
    expect(reads(soft) > 0 && reads(ramp) == 0, "only the ramp lets the row go without a change");
  }
}
