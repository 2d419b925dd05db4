#include <cblas.h>

#include "engine/cuda/blas.h"
#include "engine/cuda/emulate/memory.h"

namespace fade {
namespace {

template <class T, class Gemm>
void product(const BlasProduct<T>& p, Gemm gemm) {
  const auto flag = [](bool transpose) { return transpose ? CblasTrans : CblasNoTrans; };
  const auto size = [](int64_t n) { return static_cast<int>(n); };
  const emulate::MemoryAccess access;
  // One after the other: OpenBLAS built without threads must not be called from several threads.
  for (int64_t i = 0; i < p.batch; ++i)
    gemm(CblasColMajor, flag(p.transpose_a), flag(p.transpose_b), size(p.m), size(p.n), size(p.k), p.alpha,
         p.a + i * p.step_a, size(p.ld_a), p.b + i * p.step_b, size(p.ld_b), p.beta, p.c + i * p.step_c,
         size(p.ld_c));
}

}  // namespace

void cuda_product(const BlasProduct<float>& p) { product(p, cblas_sgemm); }
void cuda_product(const BlasProduct<double>& p) { product(p, cblas_dgemm); }

}  // namespace fade
