// Matrix products on the CUDA device: cuBLAS, or the CPU's BLAS where the device is emulated.
#pragma once

#include <cstdint>

namespace fade {

/// `batch` products c[i] = alpha·op(a[i])·op(b[i]) + beta·c[i], as in BLAS: column-major, op the transpose if
/// `transpose_a`, `transpose_b`. op(a) is m × k, op(b) k × n, c m × n; `ld`: elements from one column to the
/// next; `step`: elements from one matrix to the next. m, n, k and batch are at least 1. f32 is multiplied as
/// product_precision() says, and the same call gives the same bits.
template <class T>
struct BlasProduct {
  bool transpose_a;  ///< op(a) = aᵀ
  bool transpose_b;  ///< op(b) = bᵀ
  int64_t m;         ///< rows of op(a) and c
  int64_t n;         ///< columns of op(b) and c
  int64_t k;         ///< columns of op(a), rows of op(b)
  T alpha;           ///< factor of the product
  const T* a;        ///< on the device, as are b and c
  int64_t ld_a;      ///< ld of a
  int64_t step_a;    ///< step of a
  const T* b;        ///< second factor
  int64_t ld_b;      ///< ld of b
  int64_t step_b;    ///< step of b
  T beta;            ///< factor of c before the product is added; 0: c need not be defined
  T* c;              ///< the result
  int64_t ld_c;      ///< ld of c
  int64_t step_c;    ///< step of c
  int64_t batch;     ///< number of products
};

/// Queued on the device's stream. Throws Error when cuBLAS refuses it.
void cuda_product(const BlasProduct<float>& p);
/// The same in f64.
void cuda_product(const BlasProduct<double>& p);

}  // namespace fade
