// Matrix products on the CUDA device: cuBLAS, or the CPU's BLAS where the device is emulated.
#pragma once

#include <cstdint>

namespace fade {

/// `batch` products c[i] = alpha·op(a[i])·op(b[i]) + beta·c[i], as in BLAS: column-major, op the transpose if
/// `transpose_a`, `transpose_b`. op(a) is m × k, op(b) k × n, c m × n; `ld`: elements from one column to the
/// next; `step`: elements from one matrix to the next. m, n, k and batch are at least 1. f32 is multiplied in
/// f32 (no TF32), and the same call gives the same bits.
template <class T>
struct BlasProduct {
  bool transpose_a, transpose_b;
  int64_t m, n, k;
  T alpha;
  const T* a;
  int64_t ld_a, step_a;
  const T* b;
  int64_t ld_b, step_b;
  T beta;
  T* c;
  int64_t ld_c, step_c;
  int64_t batch;
};

/// Queued on the device's stream.
void cuda_product(const BlasProduct<float>& p);
void cuda_product(const BlasProduct<double>& p);

}  // namespace fade
