// Kernels of gather_rows and embedding. A row is everything after the first dimension of x.
#pragma once

#include "engine/kernel.h"
#include "engine/tensor.h"

namespace fade {

/// The allowed indices, and the words of the error.
struct GatherRule {
  const char* op;
  const char* what;  ///< an index is called this, in the error
  int32_t lowest;    ///< smallest index allowed: −1 where padding gives a row of zeros
};

/// y[p] = x[index[p]], zeros where the index is −1. Refuses an index outside [rule.lowest, x.size(0)).
inline constinit Kernel<void(const Tensor& x, const Tensor& index, GatherRule rule, Out y)>
    gather_rows_forward{"gather_rows"};
/// y[p] = row index[p] of [top; bottom]. Refuses an index outside both.
inline constinit Kernel<void(const Tensor& top, const Tensor& bottom, const Tensor& index, Out y)>
    gather_rows_of_two{"gather_rows_of"};
/// dx[index[p]] += g[p] for every place p, in an order that depends on the index only;
/// nothing where it is −1.
inline constinit Kernel<void(const Tensor& g, const Tensor& index, Out dx)> gather_rows_backward{
    "gather_rows"};

}  // namespace fade
