// Matrix products, batched.
#pragma once

#include "engine/kernel.h"
#include "engine/tensor.h"

namespace fade {

struct Transpose {
  bool a = false, b = false;
};

/// y = op(a)·op(b) over the last two dimensions, op the transpose where asked for.
///   a [..., m, k] (or [..., k, m] with transpose.a), b [..., k, n] (or [..., n, k] with transpose.b) → y
///   [..., m, n]
/// The leading (batch) dimensions are the same, or b has none: one b for all of a's batches (then a is not
/// transposed).
///   da = g·op(b)ᵀ, db = op(a)ᵀ·g (transposed again where the operand was).   Saves a, b.
/// Throws when inner sizes differ, naming both shapes and, if it would help, the transpose that was meant.
Tensor matmul(const Tensor& a, const Tensor& b, Transpose transpose = {});

/// batch products y[i] (+)= op(a[i])·op(b[i]), row-major, a and b with their own batch strides (in elements).
struct MatmulSizes {
  int64_t batch, m, n, k;
  int64_t stride_a, stride_b, stride_y;
  Transpose transpose;
};
inline constinit Kernel<void(const Tensor& a, const Tensor& b, const Tensor& y, const MatmulSizes&)>
    matmul_kernel{"matmul"};

}  // namespace fade
