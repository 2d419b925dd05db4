// Sums, means, and the largest and smallest elements: f32 or f64.
#pragma once

#include "engine/tensor.h"

namespace fade {

/// y = Σ x over all elements, of shape [].   dx = g everywhere.   Saves nothing.
Tensor sum(const Tensor& x);
/// y = Σ x over dimension `dim`, which is dropped (or kept with size 1).
/// dx = g, broadcast.   Saves nothing.
Tensor sum(const Tensor& x, int dim, bool keep_dim = false);
/// y = Σ x/n over all n elements, of shape [].   dx = g/n.   Saves nothing.   Throws over zero elements.
Tensor mean(const Tensor& x);
/// y = Σ x/n over dimension `dim` of size n, which is dropped (or kept with size 1).   dx = g/n, broadcast.
/// Saves nothing.   Throws over zero elements.
Tensor mean(const Tensor& x, int dim, bool keep_dim = false);
/// y = largest element along `dim`, which is dropped (or kept with size 1); a NaN counts as the largest,
/// as in PyTorch.   dx = g at the first largest element, 0 elsewhere.   Saves its index (i32). Throws
/// over zero elements, and over 2³¹ or more.
Tensor max(const Tensor& x, int dim, bool keep_dim = false);
/// y = smallest element along `dim`; a NaN counts as the smallest. All else as max.
Tensor min(const Tensor& x, int dim, bool keep_dim = false);

/// The place along `dim` of the largest element, of the first one where several are equal; of the first NaN
/// where there is one.   → i32 of max's shape, a constant for the gradient.   Throws as max does.
Tensor argmax(const Tensor& x, int dim, bool keep_dim = false);
/// The same of the smallest element.
Tensor argmin(const Tensor& x, int dim, bool keep_dim = false);

}  // namespace fade
