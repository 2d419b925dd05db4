// Chapter 2, exercise 2: the error of differences as a function of the step h, for f(x) = e^x at x = 1.
//
// A difference has two errors. The curve between its two points is not a line: this error is about h²·f'''/6
// (one difference f(x + h) - f(x): h·f''/2). And both values are rounded to 16 digits: about 1e-16·f/h. The
// first falls with h, the second grows.
#include "examples/course/course.h"

int main() {
  const double x = 1, right = std::exp(x);
  double best_central = 1, best_forward = 1, step_central = 0, step_forward = 0;
  fmt::print("h        central    forward\n");
  for (int digits = 1; digits <= 13; ++digits) {
    const double h = std::pow(10, -digits);
    const double central = std::abs((std::exp(x + h) - std::exp(x - h)) / (2 * h) - right) / right;
    const double forward = std::abs((std::exp(x + h) - std::exp(x)) / h - right) / right;
    fmt::print("{:.0e}  {:9.1e}  {:9.1e}\n", h, central, forward);
    if (central < best_central) best_central = central, step_central = h;
    if (forward < best_forward) best_forward = forward, step_forward = h;
  }
  expect(best_central < 1e-9 && best_forward > best_central, "central differences are far more exact");
  expect(step_central > 2e-8 && step_central < 1e-3, "their best step is near 1e-5");
  expect(step_forward < step_central, "one-sided differences need a smaller step");
}
