// Kernels of gather_rows and embedding. A row is everything after the first dimension of x.
#pragma once

#include "engine/kernel.h"

namespace fade {

/// The allowed indices, and the words of the error.
struct GatherRule {
  const char* op;
  const char* what;  ///< an index is called this, in the error
  int32_t lowest;    ///< smallest index allowed: −1 where padding gives a row of zeros
};

/// y[p] = row index[p] of [top; bottom], zeros where the index is −1; `bottom` may be an empty tensor.
/// Refuses an index outside [rule.lowest, rows of both).
inline constinit Kernel<void(const Tensor& top, const Tensor& bottom, const Tensor& index, GatherRule rule,
                             Out y)>
    gather_rows_forward{"gather_rows"};
/// dx[index[p]] += g[p] for every place p, in an order that depends on the index only;
/// nothing where it is −1.
inline constinit Kernel<void(const Tensor& g, const Tensor& index, Out dx)> gather_rows_backward{
    "gather_rows"};

}  // namespace fade
