#include "train/report.h"

#include <algorithm>
#include <array>
#include <bit>

#include "train/data/recall.h"

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
  if (c == '\n') return 3;
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return 0;
  if (c >= '0' && c <= '9') return 1;
  return c > ' ' && c < 127 ? 4 : 5;
}

/// Collects during one evaluation. Of a corpus from a file, which may be of any size, nothing is
/// kept per byte.
class ReportBuilder {
 public:
  ReportBuilder(std::span<const uint8_t> text, bool recall, bool span_per_row)
      : text_(text), span_per_row_(span_per_row) {
    if (!recall) return;
    roles_ = recall_roles(text);
    right_.resize(text.size());
  }

  void add(const EvalBlock& block) {
    if (span_per_row_) add_spans(block);
    if (!roles_.empty()) add_answers(block);
  }

  std::vector<KindSpans> spans() const {
    const auto names = roles_.empty() ? std::span<const std::string_view>(kTextKinds) : kRecallKinds;
    std::vector<KindSpans> table;
    for (size_t k = 0; k < names.size(); ++k) {
      if (!count_[k]) continue;
      KindSpans row{.kind = names[k], .bytes = count_[k], .mean_span = {}};
      for (const auto& layer : sum_) row.mean_span.push_back(layer[k] / static_cast<double>(count_[k]));
      table.push_back(std::move(row));
    }
    return table;
  }

  std::vector<RecallScore> recall() const {
    if (roles_.empty()) return {};
    std::vector<RecallScore> scores(64);  // by powers of two: 1, 2, 3-4, 5-8, ..
    for (size_t k = 0; k < scores.size(); ++k)
      scores[k] = {k ? (int64_t{1} << (k - 1)) + 1 : 1, static_cast<int64_t>(uint64_t{1} << k)};
    for (const RecallQuestion& q : recall_questions(text_)) {
      RecallScore& score = scores[static_cast<size_t>(std::bit_width(q.distance - 1))];
      ++score.asked;
      score.right += right_[q.answer - 1];
    }
    std::erase_if(scores, [](const RecallScore& s) { return s.asked == 0; });
    return scores;
  }

 private:
  void add_spans(const EvalBlock& block) {
    std::vector<std::vector<double>> spans;  // [layer][B·n]
    for (const Tensor& layer : block.report.spans) spans.push_back(layer.to(DType::f64).to_vector<double>());
    sum_.resize(spans.size());
    for (size_t i = 0; i < block.tokens.size(); ++i) {
      const size_t place = block.place(i);
      const size_t kind = roles_.empty() ? kind_of_text(text_[place]) : static_cast<size_t>(roles_[place]);
      ++count_[kind];
      for (size_t l = 0; l < sum_.size(); ++l) sum_[l][kind] += spans[l][i];
    }
  }

  void add_answers(const EvalBlock& block) {
    const std::vector<double> logits = block.logits.to(DType::f64).to_vector<double>();
    const size_t V = block.logits.size(1);
    for (size_t i = 0; i < block.tokens.size(); ++i) {
      const auto row = logits.begin() + i * V;
      right_[block.place(i)] = std::max_element(row, row + V) - row == block.targets[i];
    }
  }

  std::span<const uint8_t> text_;
  std::vector<RecallRole> roles_;  ///< of each byte of a recall corpus; else empty
  std::vector<bool> right_;        ///< likewise: the byte after this one was predicted as the likeliest
  bool span_per_row_;
  std::vector<std::array<double, kMaxKinds>> sum_;  ///< of spans, [layer][kind]
  std::array<int64_t, kMaxKinds> count_{};
};

}  // namespace

Report report_on(const Trainer& trainer, const std::function<void(const EvalBlock&)>& on_block) {
  const Config& config = trainer.config();
  ReportBuilder builder(trainer.validation_text(), config.data.kind == DataKind::recall,
                        kind_info(config.model.kind).spans == Spans::of_rows);
  const EvalResult validation = trainer.validate([&](const EvalBlock& block) {
    builder.add(block);
    if (on_block) on_block(block);
  });
  return {.validation = validation, .spans = builder.spans(), .recall = builder.recall()};
}

}  // namespace fade
