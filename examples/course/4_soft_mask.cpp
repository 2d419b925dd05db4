// Chapter 4: the soft mask. A query reads two rows, and one of them expires. docs/course/4_soft_mask.md
#include "ops/expire_mask/expire_mask.h"

#include "engine/tape.h"
#include "examples/course/course.h"
#include "ops/elementwise/elementwise.h"
#include "ops/layout/layout.h"
#include "ops/masked_renorm/masked_renorm.h"
#include "ops/reduce/reduce.h"

using namespace fade;

constexpr int R = 4;  // length of the ramp

// Row 0 is 6 positions away, row 1 is 1 away and never expires. Attention weighs them equally.
const Tensor kAge = Tensor::from(std::vector<int32_t>{6, 1}, {1, 2});
const Tensor kAttention = values({1, 1, 1, 2}, {0.5, 0.5});
const Tensor kValue = values({2}, {1, 0});

// The query should read 1, the value of row 0. Mask m [1, 1, 2].
Tensor loss_of(const Tensor& m) {
  const Tensor w = masked_renorm(kAttention, m);  // a·m/Σ a·m
  const Tensor error = sum(w * kValue) - values({}, {1});
  return error * error;
}

// A hard cut: row 0 is visible up to its span e [1, 1], and then gone.
Tensor hard_loss(const Tensor& e) {
  const double distance = 6;
  return loss_of(values({1, 1, 2}, {e.item() >= distance ? 1.0 : 0, 1}));
}

// The ramp: m = clamp((e - distance)/R + 1, 0, 1).
Tensor soft_mask(const Tensor& e) { return expire_mask(concat(e, values({1, 1}, {100}), 1), kAge, 1, R); }
Tensor soft_loss(const Tensor& e) { return loss_of(soft_mask(e)); }

Tensor span(double e) { return values({1, 1}, {e}); }

double slope_of_gradient(double at) {
  Tensor e = span(at).set_requires_grad();
  const Recording on;
  backward(soft_loss(e));
  return e.grad().item();
}

template <class Loss>
double slope_of_differences(const Loss& loss, double at) {
  const double h = 1e-5;
  return (loss(span(at + h)).item() - loss(span(at - h)).item()) / (2 * h);
}

void descend(double start) {
  double e = start;
  for (int step = 0; step <= 20; ++step) {
    if (step % 5 == 0) fmt::print("  {:.3f}", e);
    e -= slope_of_gradient(e);
  }
  fmt::print("\n");
}

int main() {
  fmt::print("span  hard: loss, slope   ramp: mask, loss, slope, gradient\n");
  for (const double e : {1.0, 3.0, 5.0, 7.0, 9.0})
    fmt::print("{:4}        {:.4f}  {:.4f}         {:.2f}  {:.4f}  {:.4f}  {:.4f}\n", e,
               hard_loss(span(e)).item(), slope_of_differences(hard_loss, e),
               soft_mask(span(e)).data<double>()[0], soft_loss(span(e)).item(),
               slope_of_differences(soft_loss, e), slope_of_gradient(e));
  fmt::print("hard, slope at 6: {:.6g}\n", slope_of_differences(hard_loss, 6));

  fmt::print("-- backward through the hard cut\n");
  try {
    Tensor e = span(3).set_requires_grad();
    const Recording on;
    backward(hard_loss(e));
  } catch (const Error& error) {
    fmt::print("{}\n", error.what());
  }

  fmt::print("-- gradient descent on the span, from 3, 1 and 9: every fifth step\n");
  for (const double start : {3.0, 1.0, 9.0}) descend(start);

  fmt::print("-- a block of 8 queries, at distances 3 to 10\n");
  for (const double at : {1.5, 4.5, 8.5}) {
    Tensor e = span(at).set_requires_grad();
    const Recording on;
    const Tensor m = expire_mask(e, Tensor::from(std::vector<int32_t>{3}, {1, 1}), 8, R);
    show(fmt::format("span {}", at), m.view({8}));
    backward(sum(m));
    show("  gradient", e.grad());
  }
}
