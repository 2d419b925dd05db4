// Bits per byte of a model on a text.
#pragma once

#include <functional>
#include <span>

#include "models/transformer.h"

namespace fade {

/// One block of an evaluation, for whoever wants to look closer.
struct EvalBlock {
  int64_t length;                    ///< n: positions a stream
  int64_t offset, stride;            ///< position i of stream b is byte b·stride + offset + i of the text
  std::span<const int32_t> tokens;   ///< [B, n]
  std::span<const int32_t> targets;  ///< [B, n]
  std::span<const double> bits;      ///< [B, n]: −log2 of the probability given to each target
  const Tensor& logits;              ///< [B·n, V]
  const StepReport& report;
};

struct EvalOptions {
  int streams = 1;
  bool forget = true;  ///< false: every row is kept
  std::function<void(const EvalBlock&)> on_block = {};
};

struct EvalResult {
  double bits_per_byte = 0;
  int64_t bytes = 0;  ///< bytes predicted
  int streams = 0;
  double mean_rows = 0;  ///< rows in memory a stream and layer, averaged over the blocks
  double mean_span = 0;  ///< predicted span, in positions (0 for kinds without)
};

/// Reads `text` once in `streams` streams, memory carried through all of it; dropout and noise off. Spec
/// section 9. Throws InputError when the text is too short, naming it by `name`.
EvalResult evaluate(const Transformer& model, std::span<const uint8_t> text, const std::string& name,
                    const EvalOptions& options);

}  // namespace fade
