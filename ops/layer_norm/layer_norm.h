// Layer normalisation (Ba, Kiros and Hinton 2016).
#pragma once

#include "engine/tensor.h"

namespace fade {

/// y = (x − mean)/sqrt(var + eps)·weight + bias over the last dimension, var the biased variance.
///   x [..., H], f32, f64, or bf16 on CUDA; weight [H], bias [H], of the type of x, f32 for bf16 → y as x
/// With n = (x − mean)·rstd and d = g·weight:
///   dx = rstd·(d − mean(d) − n·mean(d·n)),  dweight = Σ g·n,  dbias = Σ g.
/// Saves x, weight, and mean and rstd of each row.   Derivation: layer_norm.md. Throws for other
/// shapes or types.
Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps = 1e-5);

/// layer_norm(x + residual, weight, bias, eps) in one pass over the rows; residual is of the shape and type of x.
/// The gradients of x and residual are equal. Saves the sum in place of x.
Tensor add_layer_norm(const Tensor& x, const Tensor& residual, const Tensor& weight, const Tensor& bias,
                      double eps = 1e-5);

}  // namespace fade
