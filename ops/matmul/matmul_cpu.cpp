#include "engine/parallel.h"
#include "ops/matmul/gemm_cpu.h"
#include "ops/matmul/matmul_kernels.h"
#include "ops/matmul/symmetric_cpu.h"

namespace fade {
namespace {

template <class T>
void one_product(const T* a, const T* b, T* y, const MatmulSizes& s) {
  if (s.symmetric) return symmetric_product(a, b, y, s);
  product_in_parts(a, b, y, s, [](const GemmPart&) {});
}

void matmul_cpu(const Tensor& a, const Tensor& b, const MatmulSizes& s, Out y) {
  dispatch_float(y.dtype(), "matmul", [&]<class T>() {
    const T *pa = a.data<T>(), *pb = b.data<T>();
    T* py = y.mutate<T>();
    if (s.m == 0 || s.n == 0) return;
    parallel_for(s.batch, 1, [&](int64_t begin, int64_t end) {  // one product is cut below
      for (int64_t i = begin; i < end; ++i)
        one_product(pa + i * s.m * s.k, pb + i * s.k * s.n, py + i * s.m * s.n, s);
    });
  });
}

[[maybe_unused]] const bool registered = matmul_kernel.implement(Device::cpu, matmul_cpu);

}  // namespace
}  // namespace fade
