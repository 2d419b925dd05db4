// Chapter 7, exercise 2: the rule of forgetting, one position too strict and one too lenient.
//
// The strict rule also deletes rows that the next query, and only that one, still sees, with a mask of at
// most 1/R. The lenient rule keeps rows that no query sees. Only the strict one changes predictions.
#include "examples/course/course.h"
#include "examples/course/random_model.h"
#include "ops/elementwise/elementwise.h"
#include "ops/gather_rows/gather_rows.h"
#include "ops/matmul/matmul.h"

using namespace fade;

/// Keeps the rows of layer l with e + R > distance + shift. The memory has one stream and has kept all rows.
void forget(const Transformer& model, Memory& memory, size_t l, int shift) {
  const auto span = [&](const char* part) {
    return model.parameters().find(fmt::format("layers.{}.attn.span.{}", l, part)).value();
  };
  const LayerMemory& all = memory[l];
  const Tensor e = sigmoid(matmul(all.rows, span("weight"), {.b = true}) + span("bias")) * S;  // [Nm, 1]
  std::vector<int32_t> index, ages;
  for (int32_t j = 0; j < all.count(); ++j) {
    const int32_t age = all.age.data<int32_t>()[j];
    if (!(e.data<double>()[j] + R > age + shift)) continue;
    index.push_back(j);
    ages.push_back(age);
  }
  const int64_t n = std::ssize(index);
  const std::vector<int32_t> start = {0, static_cast<int32_t>(n)};
  const Tensor rows = gather_rows(all.rows, Tensor::from(index, {n}));
  memory.set(l, {rows, Tensor::from(ages, {n}), Tensor::from(start, {2}), all.read});
}

struct Reading {
  std::vector<Tensor> logits = {};  ///< of each block
  double rows = 0;                  ///< at the end
};

Reading read(const Transformer& model, int shift) {
  Memory memory = model.empty_memory(1);
  Reading result;
  for (int b = 0; b < 20; ++b) {
    StepReport report;
    result.logits.push_back(model.forward(random_text(b * M), memory, {.forget = false}, report));
    memory.drop_forgotten();
    for (size_t l = 0; l < memory.layers(); ++l) forget(model, memory, l, shift);
  }
  result.rows = memory.mean_rows();
  return result;
}

double difference(const Reading& a, const Reading& b) {
  double most = 0;
  for (size_t i = 0; i < a.logits.size(); ++i)
    most = std::max(most, largest_difference(a.logits[i], b.logits[i]));
  return most;
}

int main() {
  const auto model = random_model();
  const Reading all = read(*model, -1'000'000), right = read(*model, 0);
  const Reading lenient = read(*model, -1), strict = read(*model, 1);
  fmt::print("rows at the end: {}; lenient {}, strict {}\n", right.rows, lenient.rows, strict.rows);
  fmt::print("the strict rule changes a logit by up to {:.2g}\n", difference(all, strict));
  expect(difference(all, right) < 1e-12, "the rule changes nothing");
  expect(difference(all, lenient) < 1e-12, "the lenient rule neither");
  expect(lenient.rows > right.rows, "but it keeps more rows");
  expect(difference(all, strict) > 1e-6, "the strict rule changes predictions");
}
