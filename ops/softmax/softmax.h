// Softmax over the last dimension; the logarithm of a sum of exponentials over any dimension.
#pragma once

#include "engine/tensor.h"

namespace fade {

/// y_j = e^(x_j − max x) / Σ e^(x − max x).   dx = y·(g − Σ g·y).   Saves y.
///   x [..., L], f32 or f64 → y [..., L]
/// A row that holds only −inf gives zeros, a row with a NaN gives NaN. Derivation and edges: softmax.md.
/// Throws when x has no dimension.
Tensor softmax(const Tensor& x);

/// The same over the columns with mask > 0; y is 0 at the others, and a row without such columns
/// is all zeros.
///   x [B, K, M, L], mask [B, M, L] of x's type (one for all K heads; no gradient) → y [B, K, M, L]
/// dx as above, 0 where the mask is 0.   Saves y.   Throws for other shapes or types.
Tensor softmax_where(const Tensor& x, const Tensor& mask);

/// y = x − max x − log Σ e^(x − max x).   dx = g − e^y·Σ g.   Saves y.
///   x [..., L], f32 or f64 → y [..., L]
/// A row that holds only −inf stays as it is. Throws when x has no dimension.
Tensor log_softmax(const Tensor& x);

/// y = max x + log Σ e^(x − max x) over dimension `dim`, which is dropped (or kept with size 1).
/// dx = g·e^(x − y).   Saves y and x, or a copy of x with `dim` last where it is another dimension.
/// A line that holds only −inf gives −inf and no gradient, one with a NaN or +inf gives NaN.
/// f32 or f64. Throws over zero elements, and when x has no such dimension.
Tensor logsumexp(const Tensor& x, int dim, bool keep_dim = false);

}  // namespace fade
