// A row-major product in the words of BLAS, which is column-major.
#pragma once

#include "engine/cuda/blas.h"
#include "ops/matmul/matmul_kernels.h"

namespace fade {

/// The product of matmul_kernel, for cuda_product. Throws unless the operands are both f32, f64 or bf16.
inline BlasProduct row_major_product(const Tensor& a, const Tensor& b, const MatmulSizes& s, Out y) {
  dispatch_stored_float(a.dtype(), "matmul", [&]<class T>() {});
  // BLAS sees a row-major y [m, n] as yᵀ [n, m] = op(b)ᵀ·op(a)ᵀ, so b comes first.
  return {.factors = a.dtype(),
          .result = y.dtype(),
          .transpose_a = s.transpose.b,
          .transpose_b = s.transpose.a,
          .m = s.n,
          .n = s.m,
          .k = s.k,
          .a = b.data_bytes(),
          .ld_a = s.transpose.b ? s.k : s.n,
          .step_a = s.k * s.n,
          .b = a.data_bytes(),
          .ld_b = s.transpose.a ? s.m : s.k,
          .step_b = s.m * s.k,
          .add = s.add,
          .c = y.mutate_bytes(),
          .ld_c = s.n,
          .step_c = s.m * s.n,
          .batch = s.batch};
}

}  // namespace fade
