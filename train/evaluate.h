// Evaluation: bits per byte of a model on a text.
//
// Sizes: docs/notation.md.
#pragma once

#include <functional>
#include <optional>
#include <span>

#include "engine/ranks/ranks.h"
#include "models/transformer.h"
#include "train/data/bytes.h"

namespace fade {

/// One block of an evaluation, handed to EvalOptions::on_block.
struct EvalBlock {
  size_t length;                     ///< n: positions per stream
  size_t offset;                     ///< of the block in every stream
  size_t stride;                     ///< position i of stream b is byte b·stride + offset + i of the text
  size_t first;                      ///< the number of the first of the b streams that this rank reads
  std::span<const int32_t> tokens;   ///< [b, n]
  std::span<const int32_t> targets;  ///< [b, n]
  std::span<const double> bits;      ///< [b, n]: −log2 of the probability given to each target
  const Tensor& logits;              ///< [b·n, V], on the model's device
  const StepReport& report;          ///< the spans of the block's rows

  /// The place in the text of element i of `tokens`.
  size_t place(size_t i) const { return (first + i / length) * stride + offset + i % length; }
};

/// How a text is evaluated.
struct EvalOptions {
  int streams = 1;     ///< B
  bool forget = true;  ///< false: every row is kept
  int64_t window = 0;  ///< memory cut to so many rows: StepOptions::window
  std::function<void(const Tensor& weights, const Tensor& age)> on_weights = {};  ///< StepOptions::on_weights
  std::function<void(const EvalBlock&)> on_block = {};  ///< sees every block after it was read
  std::function<bool()> stop = {};      ///< asked before each block: true, on any rank, ends the evaluation
  const Ranks& ranks = Ranks::alone();  ///< between which the streams are divided
};

/// The figures of an evaluation.
struct EvalResult {
  double bits_per_byte = 0;              ///< mean of −log2 of the probability given to each byte
  int64_t bytes = 0;                     ///< bytes predicted
  int streams = 0;                       ///< B
  double mean_rows = 0;                  ///< rows in memory per stream and layer, averaged over the blocks
  std::optional<double> mean_span = {};  ///< predicted span, in positions; none for kinds without spans
};

/// Reads `text` once in `streams` streams, carrying memory from block to block, with dropout and noise off
/// (section 9 of the specification). The figures are those of all ranks, on each of them. Throws InputError, naming
/// the text by `name`, when it is too short or cannot be read to its end, and Interrupted when `stop` ends it.
EvalResult evaluate(const Transformer& model, const Bytes& text, const std::string& name,
                    const EvalOptions& options);

}  // namespace fade
