// Attention weights after the soft mask: multiplied by it and normalised again.
#pragma once

#include "engine/tensor.h"
#include "ops/span_attention/mask.h"  // kRenormEps

namespace fade {

/// w = a·m / (Σ_j a·m + 1e-8).   Spec section 2. Derivation: masked_renorm.md.
///   a [B, K, M, L] attention weights, m [B, M, L] soft mask, one for all K heads, both f32 or f64
///   → w [B, K, M, L]
/// With den = Σ_j a·m + 1e-8 and G = Σ_j g·w:  da = m·(g − G)/den,  dm = Σ_heads a·(g − G)/den.
/// Saves a, m and den [B, K, M].   Throws for other shapes or types.
Tensor masked_renorm(const Tensor& a, const Tensor& m);

}  // namespace fade
