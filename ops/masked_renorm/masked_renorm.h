// Attention weights after the soft mask: faded, and made to sum to one again.
#pragma once

#include "engine/tensor.h"

namespace fade {

/// w = a·m / (Σ_j a·m + 1e-8).
///   a [B, K, M, L] attention weights, m [B, M, L] soft mask for all K heads → w [B, K, M, L]
/// With den = Σ a·m + 1e-8, G = Σ_j g·w:  da = m·(g − G)/den,  dm = Σ_heads a·(g − G)/den.
/// Saves a, m, w and den [B, K, M].   Spec section 2.
Tensor masked_renorm(const Tensor& a, const Tensor& m);

}  // namespace fade
