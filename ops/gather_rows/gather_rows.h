// Rows of a matrix, by index: packed rows into padded ones.
#pragma once

#include "engine/tensor.h"

namespace fade {

/// y[...] = x[index[...]], and zeros where index is −1 (padding).
///   x [N, H] (or [N]), index i32 [...] with −1 ≤ index < N → y [..., H] (or [...])
/// dx[n] = Σ of g over the places that took row n, in a fixed order.   Saves index.
/// Throws on an index outside, naming its place and value.
Tensor gather_rows(const Tensor& x, const Tensor& index);

/// The same from two matrices of one width, the rows of `bottom` counted on from those of `top`. Not
/// recorded: the result is a constant. Throws on an index outside either.
Tensor gather_rows_of(const Tensor& top, const Tensor& bottom, const Tensor& index);

}  // namespace fade
