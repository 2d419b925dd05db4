// Chapter 7, exercise 3: the length of the blocks changes neither the predictions nor the rows that are left
// in the end.
//
// A row that expires within a block stays until its end, but no query sees it. The rule after the block looks
// at the distance to the next query, however the text before it was cut.
#include "examples/course/course.h"
#include "examples/course/random_model.h"

using namespace fade;

struct Reading {
  std::vector<double> logits = {};
  double rows = 0;       ///< in memory at the end
  double most_rows = 0;  ///< that any block's queries had before them
};

Reading read(const Transformer& model, int length) {
  Memory memory = model.empty_memory(1);
  Reading result;
  for (int at = 0; at < 20 * M; at += length) {
    result.most_rows = std::max(result.most_rows, memory.mean_rows() + length);
    StepReport report;
    const Tensor logits = model.forward(random_text(at, length), memory, {}, report);
    memory.drop_forgotten();
    for (const double x : logits.to_vector<double>()) result.logits.push_back(x);
  }
  result.rows = memory.mean_rows();
  return result;
}

int main() {
  const auto model = random_model();
  const Reading whole = read(*model, M);
  for (const int length : {8, 1}) {
    const Reading other = read(*model, length);
    double most = 0;
    for (size_t i = 0; i < whole.logits.size(); ++i)
      most = std::max(most, std::abs(whole.logits[i] - other.logits[i]));
    fmt::print("blocks of {}: at most {} rows; of {}: {}\n", length, other.most_rows, M, whole.most_rows);
    expect(most < 1e-11, "the same predictions, to rounding");
    expect(other.rows == whole.rows, "the same number of rows at the end");
    expect(other.most_rows < whole.most_rows, "fewer rows at a time");
  }
}
