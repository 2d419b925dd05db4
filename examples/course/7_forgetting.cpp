// Chapter 7: rows are deleted and no prediction changes, until the weights do. docs/course/7_forgetting.md
#include "examples/course/course.h"
#include "examples/course/random_model.h"

using namespace fade;

/// The same text read twice, once with and once without forgetting.
struct Twice {
  const Transformer& model;
  Memory forgetting = model.empty_memory(1), keeping = model.empty_memory(1);
  int blocks = 0;
  std::vector<double> spans = {};  ///< of layer 0, by position, when they were first predicted

  /// Reads one block. Returns the largest difference between the two predictions.
  double read() {
    const Tensor text = random_text(blocks * M);
    StepReport report, other;
    const Tensor a = model.forward(text, forgetting, {.forget = true}, report);
    const Tensor b = model.forward(text, keeping, {.forget = false}, other);
    forgetting.drop_forgotten();
    keeping.drop_forgotten();
    ++blocks;
    for (const double e : report.spans[0].to_vector<double>()) spans.push_back(e);
    return largest_difference(a, b);
  }
};

std::string in_words(double difference) {
  return difference == 0 ? "0" : difference < 1e-12 ? "rounding" : fmt::format("{:.2g}", difference);
}

/// Adds `change` to the logit of every span.
void lengthen_spans(const Transformer& model, double change) {
  for (const Parameter& p : model.parameters().all())
    if (p.name.ends_with("span.bias")) p.value().mutate<double>()[0] += change;
}

/// Reads 20 blocks and prints what happened.
void read_text(Twice& twice) {
  double most = 0;
  while (twice.blocks < 20) {
    most = std::max(most, twice.read());
    if (twice.blocks == 2 || twice.blocks % 10 == 0)
      fmt::print("block {}: {} rows, without forgetting {}; largest difference so far: {}\n", twice.blocks,
                 twice.forgetting.mean_rows(), twice.keeping.mean_rows(), in_words(most));
  }
}

int main() {
  const auto fused = random_model(AttentionPath::fused), composed = random_model(AttentionPath::composed);

  fmt::print("-- fixed weights, fused attention\n");
  Twice twice{*fused};
  read_text(twice);
  const int next = twice.blocks * M;  // the position of the next block's first query
  int kept = 0;
  for (int j = 0; j < next; ++j) kept += twice.spans[static_cast<size_t>(j)] + R > next - j;
  fmt::print("layer 0: e + R > distance holds for {} rows; memory has {}\n", kept,
             twice.forgetting[0].count());

  for (const double change : {-0.5, 0.5}) {
    Twice after = twice;
    lengthen_spans(*fused, change);
    fmt::print("-- then all spans become {}: largest difference in each block\n",
               change < 0 ? "shorter" : "longer");
    for (int b = 0; b < 8; ++b) fmt::print("{}{}", b == 0 ? "" : ", ", in_words(after.read()));
    fmt::print("\n");
    lengthen_spans(*fused, -change);
  }

  fmt::print("-- fixed weights, composed attention\n");
  Twice other{*composed};
  read_text(other);
}
