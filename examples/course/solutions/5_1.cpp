// Chapter 5, exercise 1: a useful row, and the price at which its span stands still.
//
// w is as before, so G = −1·0.529412 + 2·0.470588 = 0.411765.
// dm_0 = 0.6·(−1 − 0.411765)/0.85 = −0.996540, and attention's part of de_0 is dm_0/R = −0.498270.
// The price adds price/(R·M) = price/2.
#include "engine/tape.h"
#include "examples/course/course.h"
#include "ops/elementwise/elementwise.h"
#include "ops/expire_mask/expire_mask.h"
#include "ops/masked_renorm/masked_renorm.h"
#include "ops/reduce/reduce.h"
#include "ops/span_loss/span_loss.h"

using namespace fade;

double gradient(double price) {
  const Tensor e = values({1, 2}, {1.5, 3}).set_requires_grad();
  const Tensor age = Tensor::from(std::vector<int32_t>{2, 1}, {1, 2});
  const Recording on;
  const Tensor w = masked_renorm(values({1, 1, 1, 2}, {0.6, 0.4}), expire_mask(e, age, 1, 2));
  backward(sum(w * values({1, 1, 1, 2}, {-1, 2})) + span_loss(e, age, 1, 2, price));
  return e.grad().to_vector<double>()[0];
}

int main() {
  expect(close(gradient(0), -0.498270, 1e-6), "attention wants the row longer: de_0 = -0.498270");
  expect(close(gradient(0.1), -0.448270, 1e-6), "at a price of 0.1, too: de_0 = -0.448270");
  expect(close(gradient(0.996540), 0, 1e-6), "at a price of 0.996540 the span stands still");
}
