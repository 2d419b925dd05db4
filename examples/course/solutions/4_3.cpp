// Chapter 4, exercise 3: which queries meet a row on its ramp.
//
// Block of 16, age 1: the distances are 1 to 16. A query at distance d is on the ramp where -R ≤ e - d ≤ 0,
// that is e ≤ d ≤ e + R. With R = 4:
//   e = 5.5   d = 6, 7, 8, 9      4 queries, gradient of Σ m: 4/R = 1
//   e = 14.5  d = 15, 16          2 queries: the others come in the next block. Gradient 0.5
//   e = 20.5  none                all 16 queries see the row in full. Gradient 0
#include "engine/tape.h"
#include "examples/course/course.h"
#include "ops/expire_mask/expire_mask.h"
#include "ops/reduce/reduce.h"

using namespace fade;

double gradient(double span, int32_t age, int64_t block) {
  Tensor e = values({1, 1}, {span}).set_requires_grad();
  const Recording on;
  backward(sum(expire_mask(e, Tensor::from(std::vector<int32_t>{age}, {1, 1}), block, 4)));
  return e.grad().item();
}

int main() {
  expect(close(gradient(5.5, 1, 16), 1), "e = 5.5: four queries on the ramp");
  expect(close(gradient(14.5, 1, 16), 0.5), "e = 14.5: two");
  expect(close(gradient(20.5, 1, 16), 0), "e = 20.5: none");
  expect(close(gradient(14.5, 17, 16), 0.5),
         "e = 14.5 in the next block, where the row's age is 17: the other two");
  expect(close(gradient(20.5, 17, 16), 1), "e = 20.5 in the next block: four");
}
