// Matrix products on the CUDA device: cuBLASLt and cuBLAS, or the CPU's BLAS where the device is emulated.
#pragma once

#include <cstdint>

#include "engine/dtype.h"

namespace fade {

/// `batch` products c[i] = act(op(a[i])·op(b[i]) + bias) or, with `add`, c[i] += op(a[i])·op(b[i]), as in
/// BLAS: column-major, op the transpose if `transpose_a`, `transpose_b`. op(a) is m × k, op(b) k × n, c m ×
/// n; `ld`: elements from one column to the next; `step`: elements from one matrix to the next. m, n, k and
/// batch are at least 1.
///
/// Factors are both f32, f64 or bf16. The result is of their type, or f32 if they are bf16. f32 is multiplied
/// as product_precision() says; products of bf16 are summed in f32 and rounded once.
struct BlasProduct {
  DType factors;               ///< type of a and b
  DType result;                ///< type of c and bias
  bool transpose_a;            ///< op(a) = aᵀ
  bool transpose_b;            ///< op(b) = bᵀ
  int64_t m;                   ///< rows of op(a) and c
  int64_t n;                   ///< columns of op(b) and c
  int64_t k;                   ///< columns of op(a), rows of op(b)
  const void* a;               ///< on the device, as are b, c and bias
  int64_t ld_a;                ///< ld of a
  int64_t step_a;              ///< step of a
  const void* b;               ///< second factor
  int64_t ld_b;                ///< ld of b
  int64_t step_b;              ///< step of b
  bool add;                    ///< c is added to; else it need not be defined
  void* c;                     ///< the result
  int64_t ld_c;                ///< ld of c
  int64_t step_c;              ///< step of c
  int64_t batch;               ///< number of products
  const void* bias = nullptr;  ///< [m], added to each column of c; without `add` only. Null: none
  bool relu = false;           ///< act(x) = max(x, 0), else x; without `add` only
};

/// Queues the product on the device's stream. Returns true if bias and relu are in it, false if it left them
/// to the caller: they are optional where no library has them for this product (product_path). Exact f32 and
/// f64: the same call gives the same bits. TF32 and bf16 too, within one process (docs/cuda.md). Throws Error
/// when no library takes the product.
bool cuda_product(const BlasProduct& p);

}  // namespace fade
