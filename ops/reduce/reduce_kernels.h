// Kernels of sums, means and extremes. They see the input as [outer, n, inner]
// and the result as [outer, inner].
#pragma once

#include "engine/kernel.h"
#include "ops/along.h"
#include "ops/reduce/reduce_math.h"

namespace fade {

/// y = factor·Σ x over the middle dimension.
inline constinit Kernel<void(const Tensor& x, Along s, double factor, Out y)> sum_kernel{"sum"};
/// dx = factor·g, broadcast along the middle dimension: the adjoint of sum_kernel.
inline constinit Kernel<void(const Tensor& g, Along s, double factor, Out dx)> broadcast_kernel{"sum"};

/// y = largest or smallest x over the middle dimension (n ≥ 1), index (i32) = its first place. A NaN counts as
/// either. `op` names the operation in errors.
inline constinit Kernel<void(const char* op, const Tensor& x, Along s, Extreme which, Out y, Out index)>
    extreme_forward{"max and min"};
/// dx = g at index, 0 elsewhere.
inline constinit Kernel<void(const Tensor& g, const Tensor& index, Along s, Out dx)> extreme_backward{
    "max and min"};

}  // namespace fade
