// Elements along a dimension, by index: taken, and added. (Whole rows: ops/gather_rows.)
#pragma once

#include "engine/tensor.h"

namespace fade {

/// y = the elements of x that `index` names along `dim`; for dim = 1 of three,
/// y[i,k,j] = x[i, index[i,k,j], j].
///   x [..., N, ...], f32 or f64, index i32 [..., M, ...] with 0 ≤ index < N → y of index's shape
/// The sizes of the other dimensions are equal. dx = Σ of g over the places that took the element, in a
/// fixed order.   Saves index. Refuses an index outside [0, N), naming its value and its place in the
/// index, row-major (on the device, when the host next waits). Throws when another size differs, and
/// for other types.
Tensor gather(const Tensor& x, int dim, const Tensor& index);

/// y = x with each element of `source` added where `index` names it along `dim`; for dim = 1 of three,
/// y[i, index[i,k,j], j] += source[i,k,j]. Sums have a fixed order: the result repeats bit by bit.
///   x [..., N, ...], index i32 and source [..., M, ...] with 0 ≤ index < N → y of x's shape
/// The sizes of the other dimensions are equal. dx = g, dsource = gather(g, dim, index).   Saves index.
/// Refuses an index outside [0, N), and throws, as gather does; x and source are of one type.
Tensor scatter_add(const Tensor& x, int dim, const Tensor& index, const Tensor& source);

}  // namespace fade
