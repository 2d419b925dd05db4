// Kernels of rms_norm and head_norm.
#pragma once

#include "engine/kernel.h"

namespace fade {

/// Each row of x is `all` heads of D numbers, D the size of the weight. The first `normalised` are normalised, the
/// others copied. In rms_norm a row is one head.
struct Heads {
  int64_t normalised;  ///< of a row, its first
  int64_t all;         ///< of a row
};

/// y = x·r·weight, and r = 1/sqrt(mean(x²) + eps) of each head, [rows, normalised], of the type of the weight.
inline constinit Kernel<void(const Tensor& x, const Tensor& weight, Heads heads, double eps, Out y, Out r)>
    rms_norm_forward{"rms_norm"};
/// Computes those of dx = r·(d − n·mean(d·n)), with n = x·r and d = g·weight, and dweight = Σ g·n that are tensors.
/// The sum is over rows and heads, in an order that depends on the sizes only.
inline constinit Kernel<void(const Tensor& g, const Tensor& x, const Tensor& weight, const Tensor& r,
                             Heads heads, Out dx, Out dweight)>
    rms_norm_backward{"rms_norm"};

}  // namespace fade
