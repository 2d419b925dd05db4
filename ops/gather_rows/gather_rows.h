// Rows of a matrix, by index: packed rows into padded ones.
#pragma once

#include "engine/tape.h"
#include "engine/tensor.h"

namespace fade {

/// y[...] = x[index[...]], and zeros where index is −1 (padding).
///   x [N, H] (or [N]), f32 or f64, index i32 [...] with −1 ≤ index < N → y [..., H] (or [...])
/// dx[n] = Σ of g over the places that took row n, in a fixed order.   Saves index.
/// Refuses an index outside this range, naming its value and place (on the device, when the host next waits).
/// Throws for other shapes or types.
Tensor gather_rows(const Tensor& x, const Tensor& index);

/// Rows of two matrices of one width, seen as one: rows of `bottom` are numbered after those of `top`. Not
/// recorded: the result is a constant.
///   top [N1, H], bottom [N2, H], index i32 [...] of P elements with 0 ≤ index < N1 + N2 → y [P, H]
/// Refuses an index outside this range, and throws, as gather_rows does; both matrices are of one type, which may
/// be any on CUDA.
Tensor gather_rows_of(const Tensor& top, const Tensor& bottom, const Tensor& index);

/// Rows of a matrix, by index, above all rows of another: [top[index]; bottom]. Not recorded: the result is a constant.
///   top [N1, H], index i32 [...] of P elements with 0 ≤ index < N1, bottom [N2, H] → y [P + N2, H]
/// Refuses an index outside this range, and throws, as gather_rows_of does.
Tensor gather_above(const Tensor& top, const Tensor& index, const Tensor& bottom);

/// For operations that look up rows of the first dimension (embedding): y = the rows of x that `index` names,
/// recorded as `op`, whose rule is scatter_rows. `index` is i32, of any shape. Refuses an index outside
/// [lowest, x.size(0)), called `what` in the error.
Tensor take_rows(const OpDef& op, const char* what, const Tensor& x, const Tensor& index, int32_t lowest);

/// The gradient rule of take_rows: adds each row of g to the row that it was taken from;
/// other rows are not touched.
void scatter_rows(BackwardCtx& ctx);

}  // namespace fade
