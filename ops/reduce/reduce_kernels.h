// Kernels of sums, means and maxima. A reduced tensor is seen as [outer, n, inner] → [outer, inner].
#pragma once

#include "engine/kernel.h"
#include "engine/tensor.h"

namespace fade {

struct ReduceSizes {
  int64_t outer, n, inner;
};

/// y = factor·Σ x over the middle dimension.
inline constinit Kernel<void(const Tensor& x, ReduceSizes s, double factor, const Tensor& y)> sum_kernel{
    "sum"};
/// dx = factor·g at every place of the middle dimension: the adjoint of sum_kernel.
inline constinit Kernel<void(const Tensor& g, ReduceSizes s, double factor, const Tensor& dx)> spread_kernel{
    "sum"};

/// y = largest x over the middle dimension (n ≥ 1), index (i32) = where it comes first. NaN is the largest.
inline constinit Kernel<void(const Tensor& x, ReduceSizes s, const Tensor& y, const Tensor& index)>
    max_forward{"max"};
/// dx = g at index, 0 elsewhere.
inline constinit Kernel<void(const Tensor& g, const Tensor& index, ReduceSizes s, const Tensor& dx)>
    max_backward{"max"};

}  // namespace fade
