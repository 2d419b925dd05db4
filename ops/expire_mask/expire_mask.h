// The soft mask of Expire-Span: how much of a row is left for a query.
#pragma once

#include "engine/kernel.h"
#include "engine/tensor.h"

namespace fade {

/// m[b,i,j] = clamp(r/R + 1, 0, 1), r = e[b,j] − δ, δ = age[b,j] + i; 0 where δ < 1 (strictly causal).
///   span e [B, L] in positions;  age i32 [B, L]: positions from row j to the block's first query → m [B, M,
///   L]
/// de[b,j] = 1/R · Σ_i g[b,i,j] over −R ≤ r ≤ 0, δ ≥ 1 (both ends pass, like PyTorch's clamp).   Saves e,
/// age. Spec section 3; Sukhbaatar et al. 2021, section 4. Derivation: expire_mask.md. Throws unless R ≥ 2.
Tensor expire_mask(const Tensor& span, const Tensor& age, int64_t block, int ramp);

inline constinit Kernel<void(const Tensor& span, const Tensor& age, int ramp, const Tensor& m)>
    expire_mask_forward{"expire_mask"};
inline constinit Kernel<void(const Tensor& g, const Tensor& span, const Tensor& age, int ramp,
                             const Tensor& dspan)>
    expire_mask_backward{"expire_mask"};

}  // namespace fade
