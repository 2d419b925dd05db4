// Kernels of sums, means and maxima. They see the input as [outer, n, inner]
// and the result as [outer, inner].
#pragma once

#include "engine/kernel.h"

namespace fade {

struct ReduceSizes {
  int64_t outer, n, inner;
};

/// y = factor·Σ x over the middle dimension.
inline constinit Kernel<void(const Tensor& x, ReduceSizes s, double factor, Out y)> sum_kernel{"sum"};
/// dx = factor·g, broadcast along the middle dimension: the adjoint of sum_kernel.
inline constinit Kernel<void(const Tensor& g, ReduceSizes s, double factor, Out dx)> broadcast_kernel{"sum"};

/// y = largest x over the middle dimension (n ≥ 1), index (i32) = its first place.
/// A NaN counts as the largest.
inline constinit Kernel<void(const Tensor& x, ReduceSizes s, Out y, Out index)> max_forward{"max"};
/// dx = g at index, 0 elsewhere.
inline constinit Kernel<void(const Tensor& g, const Tensor& index, ReduceSizes s, Out dx)> max_backward{
    "max"};

}  // namespace fade
