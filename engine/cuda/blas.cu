#include "engine/cuda/blas.h"

#include <cublas_v2.h>

#include "engine/cuda/cuda.h"
#include "engine/error.h"

namespace fade {
namespace {

void check_blas(cublasStatus_t status, const char* what) {
  if (status != CUBLAS_STATUS_SUCCESS) fail("cublas: {}: {}", what, cublasGetStatusString(status));
}

class BlasHandle {
 public:
  BlasHandle() {
    check_blas(cublasCreate(&handle_), "create a handle");
    check_blas(cublasSetStream(handle_, cuda_stream()), "set the stream");
    check_blas(cublasSetMathMode(handle_, CUBLAS_DEFAULT_MATH), "set the precision");  // no TF32
  }
  BlasHandle(const BlasHandle&) = delete;
  BlasHandle& operator=(const BlasHandle&) = delete;
  ~BlasHandle() { cublasDestroy(handle_); }
  cublasHandle_t get() const { return handle_; }

 private:
  cublasHandle_t handle_ = nullptr;
};

template <class T, class Gemm>
void product(const BlasProduct<T>& p, Gemm gemm) {
  static BlasHandle* const handle = new BlasHandle;  // never destroyed, like the stream that it uses
  const auto flag = [](bool transpose) { return transpose ? CUBLAS_OP_T : CUBLAS_OP_N; };
  const cublasStatus_t status =
      gemm(handle->get(), flag(p.transpose_a), flag(p.transpose_b), p.m, p.n, p.k, &p.alpha, p.a, p.ld_a,
           p.step_a, p.b, p.ld_b, p.step_b, &p.beta, p.c, p.ld_c, p.step_c, p.batch);
  if (status != CUBLAS_STATUS_SUCCESS)
    fail("cublas: {} products of {}x{} by {}x{}: {}", p.batch, p.m, p.k, p.k, p.n,
         cublasGetStatusString(status));
}

}  // namespace

void cuda_product(const BlasProduct<float>& p) { product(p, cublasSgemmStridedBatched_64); }
void cuda_product(const BlasProduct<double>& p) { product(p, cublasDgemmStridedBatched_64); }

}  // namespace fade
