// Softmax and cross-entropy in one.
#pragma once

#include "engine/tensor.h"

namespace fade {

/// Mean over rows of −log softmax(logits)[target], in nats.
///   logits [N, V], f32 or f64, targets i32 [N] with 0 ≤ target < V → []
/// dlogits = g/N·(softmax(logits) − onehot(target)).   Saves logits, targets and the log-sum-exp of each
/// row [N]. Derivation: cross_entropy.md. Refuses a target outside [0, V), naming its value and place,
/// the row (on the device, when the host next waits). Throws when N = 0, and for other shapes or types.
Tensor cross_entropy(const Tensor& logits, const Tensor& targets);

}  // namespace fade
