// Matrix products, batched.
#pragma once

#include "engine/tensor.h"

namespace fade {

/// Which operands of a product are transposed: the last two dimensions of each matrix exchanged.
struct Transpose {
  bool a = false;  ///< the first
  bool b = false;  ///< the second
};

/// y = op(a)·op(b) over the last two dimensions, op the transpose where asked for. f32 or f64 (or bf16
/// on CUDA: products summed in f32 and rounded once), both of one type.
///   a [..., m, k] (or [..., k, m] with transpose.a), b [..., k, n] (or [..., n, k] with transpose.b)
///   → y [..., m, n]
/// The leading (batch) dimensions are equal, or b has none and serves all batches of a (which is
/// then not transposed).
///   da = g·op(b)ᵀ, db = op(a)ᵀ·g (transposed again where the operand was).   Saves a, b.
/// Throws when inner sizes differ, naming both shapes and, where it would help, the transpose that is
/// missing; when batch sizes or types differ; and for an operand of fewer than two dimensions.
Tensor matmul(const Tensor& a, const Tensor& b, Transpose transpose = {});

}  // namespace fade
