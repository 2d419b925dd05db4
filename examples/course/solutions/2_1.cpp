// Chapter 2, exercise 1: y = x/n with n = sqrt(Σ x²), as an operation with a rule of its own.
//
//   dy_j/dx_i = [i = j]/n - x_j·x_i/n³ = ([i = j] - y_j·y_i)/n
//   dx_i = Σ_j g_j·dy_j/dx_i = (g_i - y_i·Σ g·y)/n
#include "engine/rng.h"
#include "engine/tape.h"
#include "examples/course/course.h"
#include "ops/elementwise/elementwise.h"
#include "ops/reduce/reduce.h"

using namespace fade;

enum Saved : int { kY, kNorm };

void unit_rule(BackwardCtx& ctx) {
  const Tensor y = ctx.saved(kY);
  const Tensor along = sum(ctx.grad() * y, -1, true);
  ctx.add(0, (ctx.grad() - y * along) / ctx.saved(kNorm));
}
constexpr OpDef kUnit{"unit", unit_rule};

// x [.., n] -> y [.., n] of length 1.
Tensor unit(const Tensor& x) {
  Tensor y, n;
  {
    const NoGrad off;
    n = exp(0.5 * log(sum(x * x, -1, true)));  // there is no operation for square roots
    y = x / n;
  }
  record(kUnit, y, {&x}, {&y, &n});
  return y;
}

int main() {
  const RngKey key{3, 0};
  std::vector<double> x(8), cotangent(8);
  for (size_t i = 0; i < 8; ++i)
    x[i] = uniform_f64(key, i) - 0.5, cotangent[i] = uniform_f64(key, 8 + i) - 0.5;
  const Tensor c = values({2, 4}, cotangent), leaf = values({2, 4}, x).set_requires_grad();
  {
    const Recording on;
    backward(unit(leaf), c);
  }
  const double h = 1e-5;
  for (size_t i = 0; i < 8; ++i) {
    const auto loss = [&](double shift) {
      std::vector<double> moved = x;
      moved[i] += shift;
      return sum(unit(values({2, 4}, moved)) * c).item();
    };
    const double slope = (loss(h) - loss(-h)) / (2 * h);
    expect(close(leaf.grad().to_vector<double>()[i], slope, 1e-8),
           fmt::format("element {}: {:.6g}", i, slope));
  }
}
