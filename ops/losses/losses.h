// Losses of predictions that are numbers or probabilities: means over all elements, as in PyTorch. The loss
// of predictions that are classes is in ops/cross_entropy.
#pragma once

#include "engine/tensor.h"

namespace fade {

/// Mean squared error: mean of (x − target)² over all elements.
///   x, target: one shape and type, f32 or f64 → []
/// dx = g·2/N·(x − target), dtarget = −dx, N the number of elements.   Saves x − target.
/// Throws when shapes or types differ, and when there are no elements.
Tensor mse_loss(const Tensor& x, const Tensor& target);

/// Binary cross-entropy of probabilities σ(x), in nats: mean over all elements of
/// −t·log σ(x) − (1 − t)·log(1 − σ(x)) = max(x, 0) − x·t + log(1 + e^−|x|). The right side is computed: it
/// does not overflow, and keeps the digits of a small loss.
///   logits x, targets t in [0, 1]: one shape and type, f32 or f64 → []
/// dx = g/N·(σ(x) − t), dt = −g/N·x, N the number of elements.   Saves x and t.
/// Throws when shapes or types differ, and when there are no elements.
Tensor binary_cross_entropy_with_logits(const Tensor& logits, const Tensor& targets);

}  // namespace fade
