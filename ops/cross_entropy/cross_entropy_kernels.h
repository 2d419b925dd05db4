// Kernels of cross_entropy.
#pragma once

#include "engine/kernel.h"

namespace fade {

/// lse[n] = log Σ e^logits[n], loss[] = mean of lse[n] − logits[n, target[n]].
/// Refuses a target outside [0, V).
inline constinit Kernel<void(const Tensor& logits, const Tensor& targets, Out lse, Out loss)>
    cross_entropy_forward{"cross_entropy"};
/// dlogits = g[]/N·(e^(logits − lse) − onehot(targets)).
inline constinit Kernel<void(const Tensor& g, const Tensor& logits, const Tensor& targets, const Tensor& lse,
                             Out dlogits)>
    cross_entropy_backward{"cross_entropy"};

}  // namespace fade
