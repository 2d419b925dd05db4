// Kernel of matmul, for it and for operations on products (linear, linear_rows).
#pragma once

#include "engine/kernel.h"
#include "engine/tape.h"
#include "ops/matmul/matmul.h"

namespace fade {

/// `batch` products y[i] = op(a[i])·op(b[i]) of matrices, row-major, one matrix of a batch after the other:
/// op(a) [m, k], op(b) [k, n], y [m, n]. With `add`, y[i] +=. Of bf16 factors y may be f32. With `symmetric`,
/// never together with `add`, y[i] is known to be its own transpose, and a device may compute half of it.
struct MatmulSizes {
  int64_t batch, m, n, k;
  Transpose transpose;
  bool add = false;
  bool symmetric = false;
};
inline constinit Kernel<void(const Tensor& a, const Tensor& b, const MatmulSizes& s, Out y)> matmul_kernel{
    "matmul"};

/// y = op(a)·op(b) of operands as matmul takes them; throws as it does. y has as many elements as the result.
void matmul_into(const Tensor& a, const Tensor& b, Transpose transpose, Out y);
/// The same for a gradient, which may be added.
void matmul_into(const Tensor& a, const Tensor& b, Transpose transpose, const GradientTarget& to);
/// op(a)·op(b), not recorded, of operands as matmul takes them whose product is symmetric: a matrix and its
/// transpose, or symmetric matrices that commute. On the CPU it takes about half the operations of matmul, and the
/// result is its own transpose bit by bit. Throws as matmul does, and when the product is not square.
Tensor symmetric_matmul(const Tensor& a, const Tensor& b, Transpose transpose = {});

}  // namespace fade
