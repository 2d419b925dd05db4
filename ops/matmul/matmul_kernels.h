// Kernel of matmul, for it and for operations that write a product into memory of their own (linear_rows).
#pragma once

#include "engine/kernel.h"
#include "engine/tensor.h"
#include "ops/matmul/matmul.h"

namespace fade {

/// `batch` products y[i] = op(a[i])·op(b[i]) of matrices, row-major: op(a) [m, k], op(b) [k, n], y [m, n].
/// Strides are the elements from one matrix of a batch to the next; 0 repeats the matrix.
struct MatmulSizes {
  int64_t batch, m, n, k;
  int64_t stride_a, stride_b, stride_y;
  Transpose transpose;
};
inline constinit Kernel<void(const Tensor& a, const Tensor& b, const MatmulSizes& s, Out y)> matmul_kernel{
    "matmul"};

}  // namespace fade
