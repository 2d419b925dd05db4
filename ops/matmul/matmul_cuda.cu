#include "ops/matmul/matmul_cuda.h"

#include "ops/matmul/matmul_kernels.h"

namespace fade {
namespace {

void matmul_cuda(const Tensor& a, const Tensor& b, const MatmulSizes& s, Out y) {
  if (y.numel() == 0) return;
  if (s.k == 0) {  // an empty sum
    if (!s.add) backend(Device::cuda).zero(y.mutate_bytes(), y.size_bytes());
    return;
  }
  cuda_product(row_major_product(a, b, s, y));
}

[[maybe_unused]] const bool registered = matmul_kernel.implement(Device::cuda, matmul_cuda);

}  // namespace
}  // namespace fade
