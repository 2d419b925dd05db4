// Softmax and cross-entropy in one.
#pragma once

#include "engine/tensor.h"

namespace fade {

/// Mean over rows of −log softmax(logits)[target], in nats.
///   logits [N, V], targets i32 [N] with 0 ≤ target < V → []
///   dlogits = g/N·(softmax(logits) − onehot(target)).   Saves logits, targets and the log-sum-exp of each
///   row [N].
/// Throws on a target outside the vocabulary, naming the row and the value, and when N = 0. Derivation:
/// cross_entropy.md.
Tensor cross_entropy(const Tensor& logits, const Tensor& targets);

}  // namespace fade
