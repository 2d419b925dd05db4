// Root mean square normalisation (Zhang and Sennrich 2019, "Root Mean Square Layer Normalization").
#pragma once

#include "engine/tensor.h"

namespace fade {

/// y = n·weight over the last dimension, n = x·r with r = 1/sqrt(mean(x²) + eps).
///   x [..., H], f32, f64, or bf16 on CUDA; weight [H], of the type of x, f32 for bf16 → y as x
/// With d = g·weight:   dx = r·(d − n·mean(d·n)),  dweight = Σ g·n.
/// Saves x, weight, and r of each row.   Derivation: rms_norm.md. Throws for other shapes or types.
Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps = 1e-5);

/// rms_norm of heads: each row of x is C/D heads of D numbers, of which the first `heads` are normalised with one
/// weight, and the others are copied. So keys are normalised where they lie beside values.
///   x [..., C], weight [D], types as for rms_norm; D divides C, 1 ≤ heads ≤ C/D → y [..., C]
/// Gradients are those of rms_norm for each head; of a copied number, g.
/// Saves x, weight, and r of each head. Throws for other shapes, types or numbers of heads.
Tensor head_norm(const Tensor& x, const Tensor& weight, int64_t heads, double eps = 1e-5);

}  // namespace fade
