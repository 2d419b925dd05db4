#include "engine/cuda/blas.h"

#include <cublas_v2.h>

#include "engine/cuda/cuda.h"
#include "engine/error.h"
#include "engine/product_precision.h"

namespace fade {
namespace {

void check_blas(cublasStatus_t status, const char* what) {
  if (status != CUBLAS_STATUS_SUCCESS) fail("cublas: {}: {}", what, cublasGetStatusString(status));
}

cublasHandle_t make_handle() {
  cublasHandle_t handle = nullptr;
  check_blas(cublasCreate(&handle), "create a handle");
  check_blas(cublasSetStream(handle, cuda_stream()), "set the stream");
  return handle;
}

template <class T, class Gemm>
void product(const BlasProduct<T>& p, Gemm gemm) {
  static const cublasHandle_t handle = make_handle();  // never destroyed, like its stream
  check_blas(cublasSetMathMode(handle, product_precision() == ProductPrecision::tf32
                                           ? CUBLAS_TF32_TENSOR_OP_MATH
                                           : CUBLAS_DEFAULT_MATH),  // no TF32
             "set the precision");
  const auto flag = [](bool transpose) { return transpose ? CUBLAS_OP_T : CUBLAS_OP_N; };
  const cublasStatus_t status =
      gemm(handle, flag(p.transpose_a), flag(p.transpose_b), p.m, p.n, p.k, &p.alpha, p.a, p.ld_a, p.step_a,
           p.b, p.ld_b, p.step_b, &p.beta, p.c, p.ld_c, p.step_c, p.batch);
  if (status != CUBLAS_STATUS_SUCCESS)
    fail("cublas: {} products of {}x{} by {}x{}: {}", p.batch, p.m, p.k, p.k, p.n,
         cublasGetStatusString(status));
}

}  // namespace

void cuda_product(const BlasProduct<float>& p) { product(p, cublasSgemmStridedBatched_64); }
void cuda_product(const BlasProduct<double>& p) { product(p, cublasDgemmStridedBatched_64); }

}  // namespace fade
