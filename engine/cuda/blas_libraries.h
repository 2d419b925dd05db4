// The two libraries behind cuda_product: which of them computes a product, and their wrappers.
//
// The choice is the same on a GPU and on the emulated device (emulate/blas.cpp), so that tests see both ways.
#pragma once

#include <algorithm>

#include "engine/cuda/blas.h"
#include "engine/product_precision.h"

namespace fade {

/// How a product is computed.
struct ProductPath {
  bool lt;        ///< cuBLASLt; else cuBLAS
  bool epilogue;  ///< bias and relu are part of the product
};

namespace product_detail {

/// What tensor cores load at once: addresses and distances of columns and matrices must be multiples of it,
/// or cuBLASLt has slow kernels or none.
inline constexpr int64_t kTensorCoreBytes = 16;

inline bool aligned(const void* p) { return reinterpret_cast<uintptr_t>(p) % kTensorCoreBytes == 0; }

inline bool aligned(const void* p, int64_t ld, int64_t step, int64_t batch, DType type) {
  const auto size = static_cast<int64_t>(size_of(type));
  return aligned(p) && ld * size % kTensorCoreBytes == 0 &&
         (batch == 1 || step * size % kTensorCoreBytes == 0);
}

}  // namespace product_detail

/// True iff tensor cores multiply the factors of `p`.
inline bool on_tensor_cores(const BlasProduct& p, ProductPrecision precision) {
  return p.factors == DType::bf16 || (p.factors == DType::f32 && precision == ProductPrecision::tf32);
}

/// cuBLASLt for products on tensor cores that are aligned as those need. Its bias (of the result's type) is
/// for one matrix that is not added to: "for best performance, specify zero beta" (cuBLAS, cublasLtMatmul).
inline ProductPath product_path(const BlasProduct& p, ProductPrecision precision) {
  using product_detail::aligned;
  const bool lt = on_tensor_cores(p, precision) && aligned(p.a, p.ld_a, p.step_a, p.batch, p.factors) &&
                  aligned(p.b, p.ld_b, p.step_b, p.batch, p.factors) &&
                  aligned(p.c, p.ld_c, p.step_c, p.batch, p.result);
  const bool wanted = p.bias || p.relu;
  return {.lt = lt, .epilogue = !wanted || (lt && !p.add && p.batch == 1 && aligned(p.bias))};
}

/// cuBLAS: takes every product without bias and relu. Throws Error when it fails.
void blas_product(const BlasProduct& p);

/// cuBLASLt, with bias and relu. False, and nothing is done, where it has no algorithm for the product.
/// Throws Error when it fails otherwise.
bool blas_lt_product(const BlasProduct& p);

}  // namespace fade
