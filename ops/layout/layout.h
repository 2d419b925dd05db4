// Operations that move elements and compute nothing.
#pragma once

#include <initializer_list>

#include "engine/tensor.h"

namespace fade {

/// The same elements in another shape, as a view (no copy). One size may be −1 and is computed from the
/// others. dx = g in x's shape.   Saves nothing.   Throws when the numbers of elements differ.
Tensor reshape(const Tensor& x, std::initializer_list<int64_t> shape);
/// y's dimension i is x's dimension order[i]; a copy.   dx = g permuted back.   Saves nothing.
Tensor permute(const Tensor& x, std::initializer_list<int> order);
/// Elements [begin, end) of dimension `dim`; a view when dim = 0, else a copy.   dx = g there, 0 elsewhere.
/// Saves nothing.
Tensor slice(const Tensor& x, int dim, int64_t begin, int64_t end);
/// a, then b, along `dim`; the other sizes are equal.   da, db = the parts of g.   Saves nothing.
Tensor concat(const Tensor& a, const Tensor& b, int dim);

}  // namespace fade
