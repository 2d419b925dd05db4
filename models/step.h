// The options of a forward pass, what its layers share, and its report.
#pragma once

#include <algorithm>
#include <functional>
#include <vector>

#include "engine/rng.h"
#include "engine/tensor.h"
#include "ops/dropout/dropout.h"

namespace fade {

/// How a block is read.
struct StepOptions {
  bool training = false;        ///< auxiliary losses are on, and with `random` dropout and span noise
  Generator* random = nullptr;  ///< source of dropout and span noise; without it both are off
  /// Number of the block's first stream among all streams of a run. Stream b draws what stream first_stream + b of a pass
  /// over all of them draws: which streams are read with it changes its results only by rounding (products of few rows
  /// are summed in another order).
  int64_t first_stream = 0;
  /// The weights are those that the memory was read with, and no gradient is recorded: keys, values and spans of memory
  /// rows are kept beside the rows instead of being computed again. Predictions are the same up to rounding. After an update
  /// of the weights, start from an empty memory.
  bool frozen = false;
  bool forget = true;  ///< false keeps every row (except compressed ones); predictions do not change
  /// For a single stream that is read in blocks of few positions: a layer forgets when it has grown by an eighth instead
  /// of after each block, and its rows are not copied in between. Predictions are the same up to rounding, and those of
  /// adaptive_span up to the 1e-8 with which rows outside every span enter its weights. Compressed memories forget as ever.
  bool forget_late = false;
  /// Memory cut to N: no query sees anything at a distance above N, nor a slot with such a position. 0: all.
  int64_t window = 0;
  /// Composed attention only: receives each layer's final weights [B, K, n, L], and the ages [B, L] of the
  /// padded rows (PaddedRows).
  std::function<void(const Tensor& weights, const Tensor& age)> on_weights = {};

  /// The smaller of `rows` and the window.
  int64_t within(int64_t rows) const { return window ? std::min(rows, window) : rows; }
  /// True when dropout and span noise are on.
  bool stochastic() const { return training && random; }
  /// The next use of dropout with probability `p`, for which each stream has `per_stream` numbers. Takes a key from
  /// `random` only if anything can be dropped.
  DropoutDraw next_dropout(double p, uint64_t per_stream) const {
    if (!stochastic() || p == 0) return {};
    return {.p = p, .key = random->next(), .first = static_cast<uint64_t>(first_stream) * per_stream};
  }
};

/// What all layers of one forward pass share.
struct ForwardPass {
  const StepOptions& options;  ///< those of Transformer::forward
  const Tensor& positions;     ///< pos.weight [P, D]
  double noise;                ///< u: learned spans are cut at u·S; 1: no noise
};

/// What the layers of one forward pass have found. It must be new for each pass.
struct StepReport {
  Tensor aux;                 ///< []: auxiliary loss, summed over layers; no tensor when there is none
  std::vector<Tensor> spans;  ///< per layer, if the kind has spans: Attention::Result::spans

  /// []: over layers and rows or heads; no tensor for a kind without spans.
  Tensor mean_span() const;
};

}  // namespace fade
