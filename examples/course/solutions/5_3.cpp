// Chapter 5, exercise 3: two queries meet row 0 on its ramp.
#include <algorithm>

#include "engine/tape.h"
#include "examples/course/course.h"
#include "ops/elementwise/elementwise.h"
#include "ops/expire_mask/expire_mask.h"
#include "ops/masked_renorm/masked_renorm.h"
#include "ops/reduce/reduce.h"
#include "ops/span_loss/span_loss.h"

using namespace fade;

const double price = 0.1, e[2] = {1.5, 3}, age[2] = {2, 1};
const double a[2][2] = {{0.6, 0.4}, {0.5, 0.5}}, v[2][2] = {{2, -1}, {-3, 1}};  // [query][row]
const int M = 2, R = 2;

/// The chapter's formulas for one query: its part of de_0.
double part_of(int i) {
  double m[2], den = 0, G = 0;
  for (int j = 0; j < 2; ++j) {
    m[j] = std::clamp((e[j] - (age[j] + i)) / R + 1, 0., 1.);
    den += a[i][j] * m[j];
  }
  for (int j = 0; j < 2; ++j) G += v[i][j] / M * a[i][j] * m[j] / den;  // g = v/M: the loss is a mean
  return a[i][0] * (v[i][0] / M - G) / den / R + price / (R * M);       // r_0 = −0.5, −1.5: on the ramp
}

int main() {
  const Tensor span = values({1, 2}, {e[0], e[1]}).set_requires_grad();
  const Tensor ages = Tensor::from(std::vector<int32_t>{2, 1}, {1, 2});
  const Recording on;
  const Tensor w = masked_renorm(values({1, 1, 2, 2}, {0.6, 0.4, 0.5, 0.5}), expire_mask(span, ages, M, R));
  const Tensor attention = sum(w * values({1, 1, 2, 2}, {2, -1, -3, 1})) * (1.0 / M);
  backward(attention + span_loss(span, ages, M, R, price));

  fmt::print("query 0: {:.6f}, query 1: {:.6f}\n", part_of(0), part_of(1));
  const std::vector<double> de = span.grad().to_vector<double>();
  expect(close(de[0], part_of(0) + part_of(1), 1e-7), "de_0 is the sum over both queries");
  expect(close(de[0], -0.340865, 1e-6), "it is -0.340865: the second query wins, the span grows");
  expect(de[1] == 0, "row 1 meets no query on its ramp");
}
