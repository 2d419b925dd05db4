// Kernels of masked_renorm. a, w, g, da [B, K, M, L]; m, dm [B, M, L]; den [B, K, M].
#pragma once

#include "engine/kernel.h"

namespace fade {

/// den = Σ_j a·m + kRenormEps, w = a·m/den.
inline constinit Kernel<void(const Tensor& a, const Tensor& m, Out w, Out den)> masked_renorm_forward{
    "masked_renorm"};
/// With G = Σ_j g·a·m/den: da = m·(g − G)/den and dm = Σ_h a·(g − G)/den.
/// Computes only those of da and dm that are tensors.
inline constinit Kernel<void(const Tensor& g, const Tensor& a, const Tensor& m, const Tensor& den, Out da,
                             Out dm)>
    masked_renorm_backward{"masked_renorm"};

}  // namespace fade
