// Layer normalisation (Ba, Kiros and Hinton 2016).
#pragma once

#include "engine/tensor.h"

namespace fade {

/// y = (x − mean)/sqrt(var + eps)·weight + bias over the last dimension, var the biased variance.
///   x [..., H], weight [H], bias [H], of one type, f32 or f64 → y [..., H]
/// With n = (x − mean)·rstd and d = g·weight:
///   dx = rstd·(d − mean(d) − n·mean(d·n)),  dweight = Σ g·n,  dbias = Σ g.
/// Saves x, weight, and mean and rstd of each row.   Derivation: layer_norm.md. Throws for other
/// shapes or types.
Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps = 1e-5);

}  // namespace fade
