// Chapter 3, exercise 3: a model that sees the future.
//
// If each query sees every row, result 1 depends on row 3, and so does its gradient: in training, the
// model could copy the token that it should predict. With the causal mask, a change of row 3 changes no
// result before it.
//
// A result depends on its own row by the query, which sets the weights. At position 1 there is one visible
// row, whose weight is 1 whatever the query is.
#include "engine/tape.h"
#include "examples/course/course.h"
#include "ops/elementwise/elementwise.h"
#include "ops/layout/layout.h"
#include "ops/matmul/matmul.h"
#include "ops/reduce/reduce.h"
#include "ops/softmax/softmax.h"

using namespace fade;

constexpr int64_t T = 5, D = 2;

// Attention of rows x [T, D] to themselves.
Tensor attend(const Tensor& x, bool causal) {
  std::vector<double> sees;
  for (int64_t i = 0; i < T * T; ++i) sees.push_back(!causal || i % T < i / T ? 1 : 0);
  const Tensor rows = reshape(x, {1, 1, T, D});
  const Tensor weights = softmax_where(matmul(rows, rows, {.b = true}), values({1, T, T}, sees));
  return reshape(matmul(weights, rows), {T, D});
}

// The rows that result `i` depends on, by the gradient: "0 1 2".
std::string dependencies(int64_t i, bool causal) {
  Tensor x = values({T, D}, {1, 0.5, -1, 2, 0.3, 0.1, -0.7, 0.4, 0.9, -2}).set_requires_grad();
  const Recording on;
  backward(sum(slice(attend(x, causal), 0, i, i + 1)));
  std::string rows;
  for (int64_t t = 0; t < T; ++t)
    if (x.grad().data<double>()[t * D] != 0) rows += std::to_string(t) + ' ';
  return rows;
}

int main() {
  expect(dependencies(1, true) == "0 ", "causal: result 1 depends on row 0, alone in its softmax");
  expect(dependencies(3, true) == "0 1 2 3 ", "causal: result 3 depends on rows 0 to 3");
  expect(dependencies(3, false) == "0 1 2 3 4 ", "not causal: on all rows");

  Tensor x = values({T, D}, {1, 0.5, -1, 2, 0.3, 0.1, -0.7, 0.4, 0.9, -2});
  for (const bool causal : {true, false}) {
    const Tensor before = attend(x, causal);
    Tensor changed = x.clone();
    changed.mutate<double>()[3 * D] += 1;  // row 3
    const Tensor after = attend(changed, causal);
    bool equal = true;
    for (int64_t i = 0; i < 3 * D; ++i) equal = equal && before.data<double>()[i] == after.data<double>()[i];
    expect(equal == causal, causal ? "causal: results 0 to 2 keep every bit" : "not causal: they change");
  }
}
