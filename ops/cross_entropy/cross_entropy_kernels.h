// Kernels of cross_entropy.
#pragma once

#include "engine/kernel.h"
#include "engine/tensor.h"

namespace fade {

/// lse[n] = log Σ e^logits[n], loss[] = mean of lse[n] − logits[n, target[n]]. Throws on a target outside
/// [0, V).
inline constinit Kernel<void(const Tensor& logits, const Tensor& targets, const Tensor& lse,
                             const Tensor& loss)>
    cross_entropy_forward{"cross_entropy"};
/// dlogits = g[]/N·(e^(logits − lse) − onehot(targets)).
inline constinit Kernel<void(const Tensor& g, const Tensor& logits, const Tensor& targets, const Tensor& lse,
                             const Tensor& dlogits)>
    cross_entropy_backward{"cross_entropy"};

}  // namespace fade
