#include "engine/cuda/blas.h"
#include "engine/cuda/cuda.h"
#include "ops/matmul/matmul_kernels.h"

namespace fade {
namespace {

// BLAS is column-major: it sees a row-major y [m, n] as yᵀ [n, m] = op(b)ᵀ·op(a)ᵀ, so b comes first.
void matmul_cuda(const Tensor& a, const Tensor& b, const MatmulSizes& s, Out y) {
  if (y.numel() == 0) return;
  if (s.k == 0) return backend(Device::cuda).zero(y.mutate_bytes(), y.size_bytes());  // an empty sum
  dispatch_float(y.dtype(), "matmul", [&]<class T>() {
    cuda_product(BlasProduct<T>{.transpose_a = s.transpose.b,
                                .transpose_b = s.transpose.a,
                                .m = s.n,
                                .n = s.m,
                                .k = s.k,
                                .alpha = 1,
                                .a = b.data<T>(),
                                .ld_a = s.transpose.b ? s.k : s.n,
                                .step_a = s.k * s.n,
                                .b = a.data<T>(),
                                .ld_b = s.transpose.a ? s.m : s.k,
                                .step_b = s.m * s.k,
                                .beta = 0,
                                .c = y.mutate<T>(),
                                .ld_c = s.n,
                                .step_c = s.m * s.n,
                                .batch = s.batch});
  });
}

[[maybe_unused]] const bool registered = matmul_kernel.implement(Device::cuda, matmul_cuda);

}  // namespace
}  // namespace fade
