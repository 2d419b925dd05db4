// Operations that move elements and compute nothing.
#pragma once

#include <initializer_list>
#include <vector>

#include "engine/tensor.h"

namespace fade {

/// The same elements in another shape, as a view (no copy). One size may be −1 and is computed from the
/// others. dx = g in x's shape.   Saves nothing.   Throws when the numbers of elements differ.
Tensor reshape(const Tensor& x, std::initializer_list<int64_t> shape);
/// The same, into exactly this shape.
Tensor reshape(const Tensor& x, const Shape& shape);
/// reshape with a new dimension of size 1 in front of dimension `dim` of x, or after all; a negative `dim`
/// counts dimensions of the result from the end.   Throws when the result has no such dimension.
Tensor unsqueeze(const Tensor& x, int dim);
/// reshape without dimension `dim`.   Throws when its size is not 1.
Tensor squeeze(const Tensor& x, int dim);
/// y of `shape`, in which x is repeated by NumPy's rule; a copy.   dx = g summed to x's shape.
/// Saves nothing.   Throws when x does not broadcast to it.
Tensor broadcast_to(const Tensor& x, const Shape& shape);
/// y's dimension i is x's dimension order[i], where −1 is the last; a copy.   dx = g permuted back.
/// Saves nothing.   Throws unless each dimension is named once.
Tensor permute(const Tensor& x, std::initializer_list<int> order);
/// Elements [begin, end) of dimension `dim`; a view when dim = 0, else a copy.   dx = g there, 0 elsewhere.
/// Saves nothing.
Tensor slice(const Tensor& x, int dim, int64_t begin, int64_t end);
/// x cut along `dim` into parts of these sizes, each a slice.   Throws unless they add up to x's.
std::vector<Tensor> split(const Tensor& x, const std::vector<int64_t>& sizes, int dim);
/// The same with the sizes in braces: of one size, too.
std::vector<Tensor> split(const Tensor& x, std::initializer_list<int64_t> sizes, int dim);
/// The same into parts of one size, of which the last may be smaller.
std::vector<Tensor> split(const Tensor& x, int64_t size, int dim);
/// The parts, one after the other along `dim`; the other sizes are equal.   The gradient of each is its part
/// of g.   Saves nothing.   Throws when the shapes do not fit, or when there are no parts.
Tensor concat(const std::vector<Tensor>& parts, int dim);
/// The same of two: a, then b.
Tensor concat(const Tensor& a, const Tensor& b, int dim);
/// The parts, all of one shape, along a new dimension `dim`, which unsqueeze(part, dim) gives them.
Tensor stack(const std::vector<Tensor>& parts, int dim);

}  // namespace fade
