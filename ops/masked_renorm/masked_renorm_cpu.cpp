#include "engine/parallel.h"
#include "ops/masked_renorm/masked_renorm.h"
#include "ops/masked_renorm/masked_renorm_kernels.h"

namespace fade {
namespace {

void forward_cpu(const Tensor& a, const Tensor& m, Out w, Out den) {
  dispatch_float(a.dtype(), "masked_renorm", [&]<class T>() {
    const int64_t K = a.size(1), M = a.size(2), L = a.size(3);
    const T *pa = a.data<T>(), *pm = m.data<T>();
    T *pw = w.mutate<T>(), *pd = den.mutate<T>();
    parallel_rows(a.size(0) * K * M, L, [&](int64_t row) {  // row = (b·K + h)·M + i
      const T *x = pa + row * L, *mask = pm + (row / (K * M) * M + row % M) * L;
      T* y = pw + row * L;
      T sum = 0;
#pragma omp simd reduction(+ : sum)
      for (int64_t j = 0; j < L; ++j) {
        y[j] = x[j] * mask[j];
        sum += y[j];
      }
      pd[row] = sum + static_cast<T>(kRenormEps);
      const T inverse = T{1} / pd[row];
      for (int64_t j = 0; j < L; ++j) y[j] *= inverse;
    });
  });
}

void backward_cpu(const Tensor& g, const Tensor& a, const Tensor& m, const Tensor& w, const Tensor& den,
                  Out da, Out dm) {
  dispatch_float(a.dtype(), "masked_renorm", [&]<class T>() {
    const int64_t K = a.size(1), M = a.size(2), L = a.size(3);
    const T *pg = g.data<T>(), *pa = a.data<T>(), *pm = m.data<T>(), *pw = w.data<T>(), *pd = den.data<T>();
    T *out_a = da ? da.mutate<T>() : nullptr, *out_m = dm ? dm.mutate<T>() : nullptr;
    // A thread owns all heads of a (stream, query) pair: they add to the same row of dm, in order.
    parallel_rows(a.size(0) * M, K * L, [&](int64_t bi) {
      T* mask_gradient = out_m ? out_m + bi * L : nullptr;
      if (mask_gradient) std::fill(mask_gradient, mask_gradient + L, T{0});
      const T* mask = pm + bi * L;
      for (int64_t h = 0; h < K; ++h) {
        const int64_t row = (bi / M * K + h) * M + bi % M;
        const T *gr = pg + row * L, *ar = pa + row * L, *wr = pw + row * L;
        T total = 0;  // G, equation (1)
#pragma omp simd reduction(+ : total)
        for (int64_t j = 0; j < L; ++j) total += gr[j] * wr[j];
        const T inverse = T{1} / pd[row];
        if (out_a) {  // equation (2)
          for (int64_t j = 0; j < L; ++j) out_a[row * L + j] = mask[j] * (gr[j] - total) * inverse;
        }
        if (mask_gradient) {  // equation (3)
          for (int64_t j = 0; j < L; ++j) mask_gradient[j] += ar[j] * (gr[j] - total) * inverse;
        }
      }
    });
  });
}

[[maybe_unused]] const bool registered = masked_renorm_forward.implement(Device::cpu, forward_cpu) &&
                                         masked_renorm_backward.implement(Device::cpu, backward_cpu);

}  // namespace
}  // namespace fade
