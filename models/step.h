// What one forward pass is told, and what it reports beside the logits.
#pragma once

#include <vector>

#include "engine/rng.h"
#include "engine/tensor.h"

namespace fade {

struct StepOptions {
  bool training = false;  ///< the auxiliary loss is on, and with `random` dropout and span noise
  Generator* random =
      nullptr;  ///< where dropout and span noise take their streams from; both are off without
  bool forget =
      true;  ///< false keeps every row in memory (but compressed ones): evaluation must not change by it

  bool stochastic() const { return training && random; }
};

struct StepReport {
  Tensor aux;                 ///< auxiliary loss, summed over layers: [] (no tensor when there is none)
  std::vector<Tensor> spans;  ///< a layer: Attention::Result::spans

  /// [] over layers and rows or heads; no tensor for a kind without spans.
  Tensor mean_span() const;
};

}  // namespace fade
