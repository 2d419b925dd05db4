// The soft mask: how much of a row a query sees, by both kinds of span. Formula: ops/span_attention/mask.h.
#pragma once

#include "engine/tensor.h"

namespace fade {

/// Expire-Span, a span per row: m[b,i,j] = clamp(r/R + 1, 0, 1), r = e[b,j] − δ, δ = age[b,j] + i;
/// 0 where δ < 1 (strictly causal).
///   span e [B, L] in positions, f32 or f64;  age i32 [B, L]: positions from row j to the block's first query
///   → m [B, M, L]
/// de[b,j] = 1/R · Σ_i g[b,i,j] over −R ≤ r ≤ 0, δ ≥ 1 (both ends pass, like PyTorch's clamp). Saves e, age.
/// M is `block`, R is `ramp`. Spec section 3; Sukhbaatar et al. 2021, section 4. Derivation: expire_mask.md.
/// Throws unless R ≥ 2, and for other shapes or types.
Tensor expire_mask(const Tensor& span, const Tensor& age, int64_t block, int ramp);

/// Adaptive-Span, a span per head: m[b,h,i,j] = clamp(r/R + 1, 0, 1), r = z[h] − (δ − 1);
/// 0 beyond 1 ≤ δ ≤ window.
///   span z [K], f32 or f64;  age i32 [B, L] → m [B, K, M, L]
/// dz[h] = 1/R · Σ_{b,i,j} g over −R ≤ r ≤ 0, 1 ≤ δ ≤ window. Saves z, age. Spec section 2; Sukhbaatar et al.
/// 2019, "Adaptive Attention Span in Transformers". Throws unless R ≥ 2, and for other shapes or types.
Tensor adaptive_mask(const Tensor& span, const Tensor& age, int64_t block, int ramp, int64_t window);

}  // namespace fade
