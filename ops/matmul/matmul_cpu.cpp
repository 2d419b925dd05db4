#include "engine/parallel.h"
#include "ops/matmul/gemm_cpu.h"
#include "ops/matmul/matmul_kernels.h"
#include "ops/matmul/symmetric_cpu.h"

namespace fade {
namespace {

// The products of a batch are shared out to the cores; a single product is cut along its longer side.
constexpr int64_t kSideGrain = 64;            // fewest rows or columns per thread
constexpr int64_t kWorkGrain = 64 * 64 * 32;  // fewest multiplications per thread

template <class T>
void one_product(const T* a, const T* b, T* y, const MatmulSizes& s) {
  if (s.symmetric) return symmetric_product(a, b, y, s);
  const bool by_rows = s.m >= s.n;
  const int64_t side = by_rows ? s.m : s.n;
  const int64_t grain = s.m * s.n * s.k < 2 * kWorkGrain ? side : kSideGrain;
  parallel_for(side, grain, [&](int64_t begin, int64_t end) {
    gemm(a, b, y, s, by_rows ? GemmPart{begin, end - begin, 0, s.n} : GemmPart{0, s.m, begin, end - begin});
  });
}

void matmul_cpu(const Tensor& a, const Tensor& b, const MatmulSizes& s, Out y) {
  dispatch_float(y.dtype(), "matmul", [&]<class T>() {
    const T *pa = a.data<T>(), *pb = b.data<T>();
    T* py = y.mutate<T>();
    if (s.batch == 0 || s.m == 0 || s.n == 0) return;
    if (s.k == 0) {  // an empty sum
      if (!s.add) std::fill(py, py + y.numel(), T{0});
      return;
    }
    parallel_for(s.batch, 1, [&](int64_t begin, int64_t end) {  // one product is cut below
      for (int64_t i = begin; i < end; ++i)
        one_product(pa + i * s.m * s.k, pb + i * s.k * s.n, py + i * s.m * s.n, s);
    });
  });
}

[[maybe_unused]] const bool registered = matmul_kernel.implement(Device::cpu, matmul_cpu);

}  // namespace
}  // namespace fade
