#include "train/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>

#include "train/data/recall.h"
#include "train/figure.h"

namespace fade {
namespace {

constexpr size_t kMaxKinds = 6;
constexpr std::array<std::string_view, kMaxKinds> kTextKinds = {"letters",  "digits",      "spaces",
                                                                "newlines", "punctuation", "other bytes"};
/// In the order of RecallRole.
constexpr std::array<std::string_view, 5> kRecallKinds = {"noise", "fact: @k=;", "fact: its value",
                                                          "question", "answer"};

size_t kind_of_text(uint8_t c) {
  if (c == ' ') return 2;
  if (c == '\n' || c == '\r') return 3;
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return 0;
  if (c >= '0' && c <= '9') return 1;
  return c > ' ' && c < 127 ? 4 : 5;
}

/// The spans of each kind of byte, summed during one evaluation. Of a corpus from a file, which may be of any
/// size, nothing is kept per byte.
struct SpanSums {
  using OfKinds = std::array<double, kMaxKinds>;
  std::vector<OfKinds> sum;  ///< [layer][kind]
  OfKinds count = {};

  explicit SpanSums(int layers) : sum(static_cast<size_t>(layers)) {}

  /// `kind_of` gives the kind of token i of a block.
  void add(const EvalBlock& block, const std::function<size_t(const EvalBlock&, size_t i)>& kind_of) {
    std::vector<std::vector<double>> spans;  // [layer][B·n]
    for (const Tensor& layer : block.report.spans) spans.push_back(layer.to(DType::f64).to_vector<double>());
    for (size_t i = 0; i < block.tokens.size(); ++i) {
      const size_t kind = kind_of(block, i);
      ++count[kind];
      for (size_t l = 0; l < sum.size(); ++l) sum[l][kind] += spans[l][i];
    }
  }
  void add_ranks(const Ranks& ranks) {
    for (OfKinds& layer : sum) ranks.sum(layer);
    ranks.sum(count);
  }

  std::vector<KindSpans> means(std::span<const std::string_view> names) const {
    std::vector<KindSpans> table;
    for (size_t k = 0; k < names.size(); ++k) {
      if (count[k] == 0) continue;
      KindSpans row{.kind = names[k], .bytes = static_cast<int64_t>(count[k]), .mean_span = {}};
      for (const OfKinds& layer : sum) row.mean_span.push_back(layer[k] / count[k]);
      table.push_back(std::move(row));
    }
    return table;
  }
};

// right[i] becomes true where the byte after place i of the text was predicted as the likeliest.
void mark_right(const EvalBlock& block, std::vector<bool>& right) {
  const std::vector<double> logits = block.logits.to(DType::f64).to_vector<double>();
  const size_t V = block.logits.size(1);
  for (size_t i = 0; i < block.tokens.size(); ++i) {
    const auto row = logits.begin() + i * V;
    right[block.place(i)] = std::max_element(row, row + V) - row == block.targets[i];
  }
}

// The questions of a recall corpus, by powers of two of their distance: 1, 2, 3-4, 5-8, ..; each rank marked those of its streams.
std::vector<RecallScore> scores_of(std::span<const uint8_t> text, const std::vector<bool>& right,
                                   const Ranks& ranks) {
  std::vector<RecallScore> scores(64);
  for (size_t k = 0; k < scores.size(); ++k)
    scores[k] = {k ? (int64_t{1} << (k - 1)) + 1 : 1, static_cast<int64_t>(uint64_t{1} << k)};
  for (const RecallQuestion& q : recall_questions(text)) {
    RecallScore& score = scores[std::bit_width(q.distance - 1)];
    ++score.asked;
    score.right += right[q.answer - 1];
  }
  for (RecallScore& score : scores)
    score.right = static_cast<int64_t>(ranks.sum(static_cast<double>(score.right)));
  std::erase_if(scores, [](const RecallScore& s) { return s.asked == 0; });
  return scores;
}

}  // namespace

std::string memory_text(const EvalResult& result, const ModelConfig& model) {
  std::string text = figure(result.mean_rows, 1) + " rows per stream and layer";
  if (result.mean_span)
    text += fmt::format("; mean span {} of at most {}", figure(*result.mean_span, 1), model.max_span);
  if (const auto memory = kind_info(model.kind).memory) text += "; " + memory(model);
  return text;
}

Report report_on(const Trainer& trainer, const std::function<bool()>& stop) {
  const Config& config = trainer.config();
  const bool recall = config.data.kind == DataKind::recall;
  const std::vector<uint8_t> text = recall ? trainer.validation_text().all() : std::vector<uint8_t>{};
  const std::vector<RecallRole> roles = recall ? recall_roles(text) : std::vector<RecallRole>{};
  std::vector<bool> right(roles.size());
  const bool of_rows = kind_info(config.model.kind).spans == Spans::of_rows;
  SpanSums spans(of_rows ? config.model.layers : 0);
  const auto kind_of = [&](const EvalBlock& block, size_t i) {
    return recall ? static_cast<size_t>(roles[block.place(i)])
                  : kind_of_text(static_cast<uint8_t>(block.tokens[i]));
  };
  Report report;
  report.validation = trainer.validate(Order::report, stop, [&](const EvalBlock& block) {
    if (of_rows) spans.add(block, kind_of);
    if (recall) mark_right(block, right);
  });
  trainer.ranks().take_part([&] {
    spans.add_ranks(trainer.ranks());
    report.spans = spans.means(recall ? std::span<const std::string_view>(kRecallKinds) : kTextKinds);
    if (recall) report.recall = scores_of(text, right, trainer.ranks());
  });
  return report;
}

}  // namespace fade
