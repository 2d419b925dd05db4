// Products that are symmetric: half of the work of a product.
#pragma once

#include "ops/matmul/matmul_kernels.h"

namespace fade {

/// One product y = op(a)·op(b), y [m, m] symmetric in exact arithmetic: the elements on and below the diagonal
/// are computed, with the bits that gemm gives them, and copied above it. s.batch is not read, s.add is false.
template <class T>
void symmetric_product(const T* a, const T* b, T* y, const MatmulSizes& s);

}  // namespace fade
