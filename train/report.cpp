#include "train/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <string_view>

#include "train/data/recall.h"
#include "train/packers.h"

namespace fade {
namespace {

/// A kind of byte: a row of the span table.
constexpr std::array<std::string_view, 6> kTextKinds = {"letters",  "digits",      "spaces",
                                                        "newlines", "punctuation", "other bytes"};
constexpr std::array<std::string_view, 5> kRecallKinds = {"noise", "fact: @k=;", "fact: its value",
                                                          "question", "answer"};

uint8_t kind_of_text(uint8_t c) {
  if (c == ' ') return 2;
  if (c == '\n') return 3;
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return 0;
  if (c >= '0' && c <= '9') return 1;
  return c > ' ' && c < 127 ? 4 : 5;
}

/// Gathers what the report needs during one evaluation. Of a text that is a file, which may be of any size,
/// nothing is kept for each byte.
struct Observer {
  std::span<const uint8_t> text;
  std::vector<RecallRole> roles;           // of each byte of a recall corpus; else empty
  std::vector<bool> right;                 // likewise: the byte after this one was the likeliest
  std::vector<std::array<double, 8>> sum;  // [layer][kind]
  bool spans_of_rows;                      // (adaptive spans belong to heads)
  std::array<int64_t, 8> count{};

  Observer(std::span<const uint8_t> all, bool recall, bool expiring) : text(all), spans_of_rows(expiring) {
    if (!recall) return;
    roles = recall_roles(text);
    right.resize(text.size());
  }

  void operator()(const EvalBlock& block) {
    const int64_t streams = static_cast<int64_t>(block.tokens.size()) / block.length;
    std::vector<std::vector<double>> spans;  // [layer][B·n]
    if (spans_of_rows)
      for (const Tensor& layer : block.report.spans)
        spans.push_back(layer.to(DType::f64).to_vector<double>());
    sum.resize(spans.size());
    for (int64_t b = 0; b < streams; ++b)
      for (int64_t i = 0; i < block.length; ++i) {
        const int64_t at = b * block.length + i, place = b * block.stride + block.offset + i;
        const uint8_t kind = roles.empty() ? kind_of_text(text[place]) : static_cast<uint8_t>(roles[place]);
        ++count[kind];
        for (size_t l = 0; l < sum.size(); ++l) sum[l][kind] += spans[l][at];
      }
    if (!right.empty()) note_right(block, streams);
  }

 private:
  void note_right(const EvalBlock& block, int64_t streams) {
    const std::vector<double> logits = block.logits.to(DType::f64).to_vector<double>();
    const int64_t V = block.logits.size(1);
    for (int64_t b = 0; b < streams; ++b)
      for (int64_t i = 0; i < block.length; ++i) {
        const int64_t at = b * block.length + i;
        const auto row = logits.begin() + at * V;
        right[b * block.stride + block.offset + i] =
            std::max_element(row, row + V) - row == block.targets[at];
      }
  }
};

// Bits a byte of the text's own byte frequencies: what a model without any context can reach.
double order0_bits(std::span<const uint8_t> text) {
  std::array<double, 256> count{};
  for (const uint8_t c : text) ++count[c];
  double bits = 0;
  const auto n = static_cast<double>(text.size());
  for (const double k : count)
    if (k > 0) bits -= k / n * std::log2(k / n);
  return bits;
}

void print_spans(const Observer& seen, std::span<const std::string_view> names) {
  fmt::print("\nmean span, in bytes, by kind of byte\n  {:<18}", "");
  for (size_t l = 0; l < seen.sum.size(); ++l) fmt::print("{:>9}", fmt::format("layer {}", l));
  fmt::print("{:>9}\n", "share");
  int64_t total = 0;
  for (int64_t n : seen.count) total += n;
  for (size_t k = 0; k < names.size(); ++k) {
    if (!seen.count[k]) continue;
    fmt::print("  {:<18}", names[k]);
    for (const auto& layer : seen.sum) fmt::print("{:>9.1f}", layer[k] / static_cast<double>(seen.count[k]));
    fmt::print("{:>8.1f}%\n", 100.0 * static_cast<double>(seen.count[k]) / static_cast<double>(total));
  }
}

std::vector<RecallScore> recall_scores(const Observer& seen, std::span<const uint8_t> text) {
  std::vector<RecallScore> scores(64);
  for (size_t k = 0; k < scores.size(); ++k)
    scores[k] = {k ? (int64_t{1} << (k - 1)) + 1 : 1, static_cast<int64_t>(uint64_t{1} << k)};
  for (const RecallQuestion& q : recall_questions(text)) {
    RecallScore& score = scores[static_cast<size_t>(std::bit_width(q.distance - 1))];
    ++score.asked;
    score.right += seen.right[q.answer - 1];
  }
  std::erase_if(scores, [](const RecallScore& s) { return s.asked == 0; });
  return scores;
}

void print_recall(const std::vector<RecallScore>& scores, const RecallConfig& config) {
  fmt::print("\nquestions answered, by distance to the fact (a guess: {:.1f}%)\n", 100.0 / config.values);
  for (const RecallScore& s : scores)
    fmt::print("  {:>4} - {:<4} {:>6.1f}%  of {}\n", s.nearest, s.farthest, s.percent(), s.asked);
  fmt::print("  best possible {:.4f} bits per byte; {:.4f} for one who guesses every answer\n",
             recall_best_bpb(config), recall_forgetful_bpb(config));
}

}  // namespace

Report report_on(const Trainer& trainer, const Config& config, bool print,
                 const std::function<void(const EvalBlock&)>& on_block) {
  const auto text = trainer.validation_text();
  const bool recall = config.data.kind == DataKind::recall;
  const bool expiring = config.model.kind == Kind::expire_span;
  Observer seen(text, recall, expiring);
  const EvalResult v = trainer.validate([&](const EvalBlock& b) {
    seen(b);
    if (on_block) on_block(b);
  });
  const Report report{v, recall ? recall_scores(seen, text) : std::vector<RecallScore>{}};
  if (!print) return report;
  fmt::print("validation: {:.4f} bits per byte over {} bytes in {} streams\n", v.bits_per_byte, v.bytes,
             v.streams);
  fmt::print("for comparison: order-0 entropy {:.4f}, gzip -9 {:.4f} on the same bytes\n", order0_bits(text),
             8 * static_cast<double>(gzip_size(text)) / static_cast<double>(text.size()));
  fmt::print("memory: {:.1f} rows a stream and layer; mean span {:.1f} of at most {}\n", v.mean_rows,
             v.mean_span, config.model.max_span);
  if (expiring) print_spans(seen, recall ? std::span<const std::string_view>(kRecallKinds) : kTextKinds);
  if (recall) print_recall(report.recall, config.data.recall);
  return report;
}

}  // namespace fade
