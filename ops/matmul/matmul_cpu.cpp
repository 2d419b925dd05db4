#include <cblas.h>

#include "engine/parallel.h"
#include "ops/matmul/matmul.h"

namespace fade {
namespace {

void gemm(const float* a, const float* b, float* y, const MatmulSizes& s) {
  cblas_sgemm(CblasRowMajor, s.transpose.a ? CblasTrans : CblasNoTrans,
              s.transpose.b ? CblasTrans : CblasNoTrans, static_cast<int>(s.m), static_cast<int>(s.n),
              static_cast<int>(s.k), 1.f, a, static_cast<int>(s.transpose.a ? s.m : s.k), b,
              static_cast<int>(s.transpose.b ? s.k : s.n), 0.f, y, static_cast<int>(s.n));
}
void gemm(const double* a, const double* b, double* y, const MatmulSizes& s) {
  cblas_dgemm(CblasRowMajor, s.transpose.a ? CblasTrans : CblasNoTrans,
              s.transpose.b ? CblasTrans : CblasNoTrans, static_cast<int>(s.m), static_cast<int>(s.n),
              static_cast<int>(s.k), 1., a, static_cast<int>(s.transpose.a ? s.m : s.k), b,
              static_cast<int>(s.transpose.b ? s.k : s.n), 0., y, static_cast<int>(s.n));
}

// One product uses OpenBLAS's own threads, which are OpenMP's; several are spread over the cores, one thread
// each (OpenBLAS's OpenMP build notices that it is called from a parallel loop and stays on its thread).
void matmul_cpu(const Tensor& a, const Tensor& b, const Tensor& y, const MatmulSizes& s) {
  dispatch_float(y.dtype(), "matmul", [&]<class T>() {
    const T *pa = a.data<T>(), *pb = b.data<T>();
    T* py = y.mutate<T>();
    if (s.batch == 0 || s.m == 0 || s.n == 0) return;
    if (s.k == 0) {  // an empty sum; BLAS would be given leading dimensions of 0
      std::fill(py, py + y.numel(), T{0});
      return;
    }
    parallel_for(s.batch, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        gemm(pa + i * s.stride_a, pb + i * s.stride_b, py + i * s.stride_y, s);
    });
  });
}

[[maybe_unused]] const bool registered = matmul_kernel.implement(Device::cpu, matmul_cpu);

}  // namespace
}  // namespace fade
