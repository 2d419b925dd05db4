// What gather_rows and embedding share. A row is all that follows the first dimension of x.
#pragma once

#include "engine/kernel.h"
#include "engine/tape.h"
#include "engine/tensor.h"

namespace fade {

/// Which operation asks, for the error, and the lowest index it allows: −1 where padding is a row of zeros.
struct GatherRule {
  const char* op;
  int32_t lowest;
};

/// y[p] = x[index[p]], zeros where the index is −1. Throws on an index outside [rule.lowest, x.size(0)).
inline constinit Kernel<void(const Tensor& x, const Tensor& index, GatherRule rule, const Tensor& y)>
    gather_rows_forward{"gather_rows"};
/// y[p] = row index[p] of [top; bottom].
inline constinit Kernel<void(const Tensor& top, const Tensor& bottom, const Tensor& index, const Tensor& y)>
    gather_rows_of_two{"gather_rows_of"};
/// dx[index[p]] += g[p] for every place p, in an order that the index alone decides; nothing where it is −1.
inline constinit Kernel<void(const Tensor& g, const Tensor& index, const Tensor& dx)> gather_rows_backward{
    "gather_rows"};

/// y = the rows of x that the index names, recorded as `op`; its rule is scatter_rows. Throws on an index
/// outside [lowest, x.size(0)).
Tensor take_rows(const OpDef& op, const Tensor& x, const Tensor& index, int32_t lowest);
/// The gradient rule: each row of g is added to the row it was taken from; the others are not touched.
void scatter_rows(BackwardCtx& ctx);

}  // namespace fade
