// The types of a product in the words of cuBLAS and cuBLASLt. For their wrappers alone.
#pragma once

#include <cublas_v2.h>

#include "engine/cuda/blas_libraries.h"
#include "engine/error.h"

namespace fade {

/// Throws Error, with `what` failed, unless `status` is success.
inline void check_blas(cublasStatus_t status, const char* what) {
  if (status != CUBLAS_STATUS_SUCCESS) fail("cublas: {}: {}", what, cublasGetStatusString(status));
}

/// The transpose, or not.
inline cublasOperation_t operation(bool transpose) { return transpose ? CUBLAS_OP_T : CUBLAS_OP_N; }

/// Of the numbers of a product.
struct ProductTypes {
  cudaDataType_t factors;       ///< a and b
  cudaDataType_t result;        ///< c and bias
  cublasComputeType_t compute;  ///< how factors are rounded, and the type of sums
};

/// Those of `p`, with the present product_precision().
inline ProductTypes types_of(const BlasProduct& p) {
  const auto type = [](DType t) {
    return t == DType::bf16 ? CUDA_R_16BF : t == DType::f64 ? CUDA_R_64F : CUDA_R_32F;
  };
  const bool tf32 = p.factors == DType::f32 && on_tensor_cores(p, product_precision());
  return {.factors = type(p.factors),
          .result = type(p.result),
          .compute = p.factors == DType::f64 ? CUBLAS_COMPUTE_64F
                     : tf32                  ? CUBLAS_COMPUTE_32F_FAST_TF32
                                             : CUBLAS_COMPUTE_32F};
}

}  // namespace fade
