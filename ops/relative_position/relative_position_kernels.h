// Kernels of relative_position.
#pragma once

#include "engine/kernel.h"

namespace fade {

/// y[b,h,i,j] = x[b,h,i, age[b,j] + i − 1] where that is a column of x [B, K, M, P], else 0; with `add`, y += that.
inline constinit Kernel<void(const Tensor& x, const Tensor& age, bool add, Out y)> relative_position_forward{
    "relative_position"};
/// dx[b,h,i,p] = Σ g[b,h,i,j] over the j with age[b,j] + i − 1 = p, in the order of j.
inline constinit Kernel<void(const Tensor& g, const Tensor& age, Out dx)> relative_position_backward{
    "relative_position"};

}  // namespace fade
