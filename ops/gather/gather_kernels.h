// Kernels of gather and scatter_add, each the adjoint of the other. They see x as [outer, n, inner], index and
// the elements that it names as [outer, m, inner].
#pragma once

#include "engine/kernel.h"
#include "ops/along.h"

namespace fade {

/// y[o,k,i] = x[o, index[o,k,i], i]. Refuses an index outside [0, n) in the words of `op`.
inline constinit Kernel<void(const char* op, const Tensor& x, const Tensor& index, Along s, int64_t m, Out y)>
    gather_kernel{"gather"};
/// y[o, index[o,k,i], i] += source[o,k,i], in the order of k. Refuses an index as gather_kernel does.
inline constinit Kernel<void(const char* op, const Tensor& source, const Tensor& index, Along s, int64_t m,
                             Out y)>
    scatter_add_kernel{"scatter_add"};

}  // namespace fade
