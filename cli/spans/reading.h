// What a model keeps of a text, and for how long: the numbers of `fade spans`.
//
// Sizes: docs/notation.md.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "models/transformer.h"

namespace fade {

/// The loss of every byte with each query's memory cut to the rows at a distance of at most `rows`.
struct MemoryCut {
  int64_t rows;
  std::vector<double> loss_bits;  ///< [byte], as in SpanReading
};

/// A text, read as one stream from an empty memory. Byte i is predicted by the query of byte i − 1; its own
/// row is the hidden state with which it enters a layer.
struct SpanReading {
  std::vector<uint8_t> text;
  ModelConfig model;
  /// [layer][byte], in positions. expire_span: of the byte's row. adaptive_span: the longest head's, and
  /// otherwise max_span, the same for all rows.
  std::vector<std::vector<double>> span;
  std::vector<std::vector<double>> heads;  ///< [layer][head]: adaptive_span's spans; else no layers
  std::vector<std::vector<int32_t>> rows;  ///< [layer][byte]: rows (and slots) that the byte's query sees
  std::vector<double> loss_bits;           ///< [byte]: −log2 p(byte | all before it); NaN for the first
  std::vector<MemoryCut> memory_cut;

  size_t layers() const { return span.size(); }
};

struct ReadingOptions {
  /// Sizes to which memory is cut, ascending. None given: 16, 64, 256, .. below the farthest row that is seen.
  std::optional<std::vector<int64_t>> cuts = {};
  std::function<void(const std::string& what)> on_pass = {};  ///< told before the text is read once more
};

/// Reads `text`, called `name` in errors, in blocks of M, with dropout and noise off: once, and once more for
/// each cut. Throws InputError when it is empty or holds a byte outside of the vocabulary, Error when the
/// model's spans or predictions are not numbers.
SpanReading read_spans(const Transformer& model, std::span<const uint8_t> text, const std::string& name,
                       const ReadingOptions& options = {});

/// The farthest distance at which any query can see a row of this span (a head's with adaptive_span).
int64_t farthest_seen(const ModelConfig& model, double span);

/// The same for all that a model of this kind can remember, and never more than `bytes`.
int64_t farthest_seen(const SpanReading& reading);

/// Evaluation predicts the byte after every byte that it reads. With one more byte at the end, it reads all of the
/// text; that byte's own prediction is not used.
std::vector<uint8_t> with_end(std::span<const uint8_t> text);

/// A row per query: the strongest of its rows, by the weight that attention gives them.
struct StrongestRows {
  int count;                      ///< k
  std::vector<int32_t> distance;  ///< [layer][byte][k], strongest first; 0: no such row
  std::vector<float> weight;      ///< the same: mean over heads
};

/// Reads `text` once more, with composed attention. In a compressive model, the distance S + 1 + s stands for
/// slot s, counted from the newest.
StrongestRows strongest_rows(const Transformer& model, std::span<const uint8_t> text, int count);

}  // namespace fade
