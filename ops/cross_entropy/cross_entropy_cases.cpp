#include "ops/cross_entropy/cross_entropy.h"

#include <cmath>

#include "tests/ops/op_case.h"

namespace fade::test {
namespace {

// Mean over rows of log Σ e^x − x[target].
double mean_loss(const Values& logits, const Values& targets, size_t vocab) {
  double sum = 0;
  for (size_t n = 0; n < targets.size(); ++n) {
    double total = 0;
    for (size_t v = 0; v < vocab; ++v) total += std::exp(logits[n * vocab + v]);
    // cppcheck-suppress invalidFunctionArg ; vocab is at least 1
    sum += std::log(total) - logits[n * vocab + static_cast<size_t>(targets[n])];
  }
  return sum / static_cast<double>(targets.size());
}

OpCase loss_case(const char* name, int64_t rows, int64_t vocab, double range) {
  return {
      .name = fmt::format("cross_entropy/{}", name),
      .inputs = {{.shape = {rows, vocab}, .fill = uniform_values(-range, range), .zero_gradient = vocab == 1},
                 {{rows},
                  [=](int64_t i, double) { return static_cast<double>(i * 5 % vocab); },
                  Role::integers}},
      .run = [](const Tensors& in) { return cross_entropy(in[0], in[1]); },
      .reference =
          [=](const Arrays& in) { return Values{mean_loss(in[0], in[1], static_cast<size_t>(vocab))}; },
      .shape = {},
      .saved_bytes = 8 * rows};
}

[[maybe_unused]] const bool added =
    add_cases("cross_entropy",
              {loss_case("one_row", 1, 5, 2), loss_case("odd", 7, 3, 2), loss_case("far_apart", 3, 11, 15),
               loss_case("one_class", 3, 1, 2), loss_case("bytes", 37, 256, 3), loss_case("long", 2, 1031, 3),
               loss_case("long_whole_vectors", 2, 1100, 3)});

}  // namespace
}  // namespace fade::test
