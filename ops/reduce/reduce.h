// Sums, means and maxima.
#pragma once

#include "engine/tensor.h"

namespace fade {

/// y = Σ x over all elements, of shape [].   dx = g everywhere.   Saves nothing.
Tensor sum(const Tensor& x);
/// y = Σ x over dimension `dim`, which is dropped (or kept with size 1).
/// dx = g, broadcast.   Saves nothing.
Tensor sum(const Tensor& x, int dim, bool keep_dim = false);
/// y = sum/n, over all elements or over `dim`.   dx = g/n.   Saves nothing.   Throws over zero elements.
Tensor mean(const Tensor& x);
Tensor mean(const Tensor& x, int dim, bool keep_dim = false);
/// y = largest element along `dim`; a NaN counts as the largest, as in PyTorch.   dx = g at the first largest
/// element, 0 elsewhere.   Saves its index (i32).   Throws over zero elements.
Tensor max(const Tensor& x, int dim, bool keep_dim = false);

}  // namespace fade
