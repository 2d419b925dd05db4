// `fade bench`: the cost of one training step with a memory of a given size.
#pragma once

#include <cstdint>

#include "train/config/config.h"

namespace fade {

struct BenchResult {
  double ms = 0;            ///< median over the timed steps
  double tokens_per_s = 0;  ///< B·M / median
  int64_t peak_bytes = 0;   ///< highest live bytes of tensors, weights and optimizer included
  int64_t live = 0;         ///< context rows per stream and layer
};

/// Times training steps (forward, backward, clipping, update) in which every layer and stream has exactly
/// `live` context rows, M of them the block's own, all seen by all later queries: spans are set to 3/4 of
/// max_span, which is raised to 2·live if it is smaller. Tokens and memory are random; memory is the same in
/// every step; three warm-up steps are not counted. Throws InputError unless live ≥ M.
BenchResult bench_step(const Config& config, int64_t live, int steps);

}  // namespace fade
