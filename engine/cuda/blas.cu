#include <cublas_v2.h>

#include "engine/cuda/blas_libraries.h"
#include "engine/cuda/blas_types.h"
#include "engine/cuda/cuda.h"

namespace fade {
namespace {

cublasHandle_t make_handle() {
  cublasHandle_t handle = nullptr;
  check_blas(cublasCreate(&handle), "create a handle");
  check_blas(cublasSetStream(handle, cuda_stream()), "set the stream");
  return handle;
}

}  // namespace

void blas_product(const BlasProduct& p) {
  static const cublasHandle_t handle = make_handle();  // never destroyed, like its stream
  const ProductTypes types = types_of(p);
  const float f32[] = {0, 1};
  const double f64[] = {0, 1};
  const auto factor = [&](int i) -> const void* {
    return p.factors == DType::f64 ? static_cast<const void*>(f64 + i) : f32 + i;
  };
  const cublasStatus_t status = cublasGemmStridedBatchedEx_64(
      handle, operation(p.transpose_a), operation(p.transpose_b), p.m, p.n, p.k, factor(1), p.a,
      types.factors, p.ld_a, p.step_a, p.b, types.factors, p.ld_b, p.step_b, factor(p.add), p.c, types.result,
      p.ld_c, p.step_c, p.batch, types.compute, CUBLAS_GEMM_DEFAULT);
  if (status != CUBLAS_STATUS_SUCCESS)
    fail("cublas: {} products of {} {}x{} by {}x{}: {}", p.batch, name_of(p.factors), p.m, p.k, p.k, p.n,
         cublasGetStatusString(status));
}

}  // namespace fade
