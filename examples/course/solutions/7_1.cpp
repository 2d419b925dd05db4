// Chapter 7, exercise 1: how many rows a stream holds when every span is S.
//
// After a block, a row at distance d from the next query stays if S + R > d. The distances of the rows are 1,
// 2, 3, .., so S + R − 1 rows stay.
#include "examples/course/course.h"
#include "examples/course/random_model.h"

using namespace fade;

int main() {
  const auto model = random_model();
  for (const Parameter& p : model->parameters().all())
    if (p.name.ends_with("span.bias")) init_constant(p.value(), 40);  // sigmoid(40 + ..) is 1 in f64

  Memory memory = model->empty_memory(1);
  for (int b = 0; b < 6; ++b) {
    StepReport report;
    model->forward(random_text(b * M), memory, {}, report);
    memory.drop_forgotten();
    fmt::print("after {} positions: {} rows\n", (b + 1) * M, memory.mean_rows());
    expect(memory.mean_rows() == std::min((b + 1) * M, S + R - 1), "all rows so far, at most S + R - 1");
  }
}
