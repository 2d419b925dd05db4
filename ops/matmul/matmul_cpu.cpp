#include <cblas.h>

#include "engine/parallel.h"
#include "ops/matmul/matmul.h"

namespace fade {
namespace {

/// Part of a product's result: rows [row, row + rows), columns [column, column + columns).
struct Part {
  int64_t row, rows, column, columns;
};

template <class T>
void gemm(const T* a, const T* b, T* y, const MatmulSizes& s, const Part& part) {
  const int lda = static_cast<int>(s.transpose.a ? s.m : s.k),
            ldb = static_cast<int>(s.transpose.b ? s.k : s.n);
  const T* from_a = a + part.row * (s.transpose.a ? 1 : s.k);
  const T* from_b = b + part.column * (s.transpose.b ? s.k : 1);
  T* to = y + part.row * s.n + part.column;
  const auto call = [&](auto function) {
    function(CblasRowMajor, s.transpose.a ? CblasTrans : CblasNoTrans,
             s.transpose.b ? CblasTrans : CblasNoTrans, static_cast<int>(part.rows),
             static_cast<int>(part.columns), static_cast<int>(s.k), T{1}, from_a, lda, from_b, ldb, T{0}, to,
             static_cast<int>(s.n));
  };
  if constexpr (std::is_same_v<T, float>)
    call(cblas_sgemm);
  else
    call(cblas_dgemm);
}

// Large calls of BLAS stay on their thread: several products are spread over the cores, and one product is
// cut along its longer side (OpenBLAS's OpenMP build notices the parallel loop around it). At this project's
// sizes, with few columns and a short inner size, that is 5 to 30 % faster than OpenBLAS's own threads.
constexpr int64_t kSideGrain = 64;            // rows or columns a thread takes at least
constexpr int64_t kWorkGrain = 64 * 64 * 32;  // multiplications a second thread is worth

template <class T>
void one_product(const T* a, const T* b, T* y, const MatmulSizes& s) {
  const bool by_rows = s.m >= s.n;
  const int64_t side = by_rows ? s.m : s.n;
  const int64_t grain = s.m * s.n * s.k < 2 * kWorkGrain ? side : kSideGrain;
  parallel_for(side, grain, [&](int64_t begin, int64_t end) {
    gemm(a, b, y, s, by_rows ? Part{begin, end - begin, 0, s.n} : Part{0, s.m, begin, end - begin});
  });
}

void matmul_cpu(const Tensor& a, const Tensor& b, const Tensor& y, const MatmulSizes& s) {
  dispatch_float(y.dtype(), "matmul", [&]<class T>() {
    const T *pa = a.data<T>(), *pb = b.data<T>();
    T* py = y.mutate<T>();
    if (s.batch == 0 || s.m == 0 || s.n == 0) return;
    if (s.k == 0) {  // an empty sum; BLAS would be given leading dimensions of 0
      std::fill(py, py + y.numel(), T{0});
      return;
    }
    if (s.batch == 1) return one_product(pa, pb, py, s);
    parallel_for(s.batch, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        gemm(pa + i * s.stride_a, pb + i * s.stride_b, py + i * s.stride_y, s, {0, s.m, 0, s.n});
    });
  });
}

[[maybe_unused]] const bool registered = matmul_kernel.implement(Device::cpu, matmul_cpu);

}  // namespace
}  // namespace fade
