// Attention weights after the soft mask: faded, and made to sum to one again.
#pragma once

#include "engine/kernel.h"
#include "engine/tensor.h"

namespace fade {

/// Keeps a query that sees next to nothing from dividing by zero (spec section 2).
inline constexpr double kRenormEps = 1e-8;

/// w = a·m / (Σ_j a·m + 1e-8).
///   a [B, K, M, L] attention weights, m [B, M, L] soft mask for all K heads → w [B, K, M, L]
/// With den = Σ a·m + 1e-8, G = Σ_j g·w:  da = m·(g − G)/den,  dm = Σ_heads a·(g − G)/den.
/// Saves a, m, w and den [B, K, M].   Spec section 2.
Tensor masked_renorm(const Tensor& a, const Tensor& m);

inline constinit Kernel<void(const Tensor& a, const Tensor& m, const Tensor& w, const Tensor& den)>
    masked_renorm_forward{"masked_renorm"};
/// da [B, K, M, L] and dm [B, M, L]; either may be an empty tensor when nobody needs it.
inline constinit Kernel<void(const Tensor& g, const Tensor& a, const Tensor& m, const Tensor& w,
                             const Tensor& den, const Tensor& da, const Tensor& dm)>
    masked_renorm_backward{"masked_renorm"};

}  // namespace fade
