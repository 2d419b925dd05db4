// Root mean square normalisation (Zhang and Sennrich 2019, "Root Mean Square Layer Normalization").
#pragma once

#include "engine/tensor.h"

namespace fade {

/// y = n·weight over the last dimension, n = x·r with r = 1/sqrt(mean(x²) + eps).
///   x [..., H], weight [H], of one type, f32 or f64 → y [..., H]
/// With d = g·weight:   dx = r·(d − n·mean(d·n)),  dweight = Σ g·n.
/// Saves x, weight, and r of each row.   Derivation: rms_norm.md. Throws for other shapes or types.
Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps = 1e-5);

}  // namespace fade
