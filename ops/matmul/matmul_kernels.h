// Kernel of matmul, for it and for operations that write a product into memory of their own (linear_rows).
#pragma once

#include "engine/kernel.h"
#include "ops/matmul/matmul.h"

namespace fade {

/// `batch` products y[i] = op(a[i])·op(b[i]) of matrices, row-major, one matrix of a batch after the other:
/// op(a) [m, k], op(b) [k, n], y [m, n].
struct MatmulSizes {
  int64_t batch, m, n, k;
  Transpose transpose;
};
inline constinit Kernel<void(const Tensor& a, const Tensor& b, const MatmulSizes& s, Out y)> matmul_kernel{
    "matmul"};

}  // namespace fade
