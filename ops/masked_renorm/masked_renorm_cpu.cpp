#include "ops/masked_renorm/masked_renorm.h"
#include "ops/masked_renorm/masked_renorm_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/masked_renorm/masked_renorm_cpu.cpp"
#include "hwy/foreach_target.h"  // compiles this file again for each instruction set

#include "engine/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {
namespace {

void forward(const Tensor& a, const Tensor& m, Out w, Out den) {
  dispatch_float(a.dtype(), "masked_renorm", [&]<class T>() HWY_ATTR {
    const int64_t K = a.size(1), M = a.size(2), L = a.size(3);
    const T *pa = a.data<T>(), *pm = m.data<T>();
    T *pw = w.mutate<T>(), *pd = den.mutate<T>();
    parallel_rows(a.size(0) * K * M, L, [&](int64_t row) HWY_ATTR {  // row = (b·K + h)·M + i
      const T *x = pa + row * L, *mask = pm + (row / (K * M) * M + row % M) * L;
      T* y = pw + row * L;
      const auto masked = [&](auto d, int64_t j)
                              HWY_ATTR { return hn::Mul(hn::LoadU(d, x + j), hn::LoadU(d, mask + j)); };
      pd[row] = sum_over<T>(L, masked) + static_cast<T>(kRenormEps);
      const T inverse = T{1} / pd[row];
      for_each_vector<T>(L, [&](auto d, int64_t j) HWY_ATTR {
        hn::StoreU(hn::Mul(masked(d, j), hn::Set(d, inverse)), d, y + j);
      });
    });
  });
}

void backward(const Tensor& g, const Tensor& a, const Tensor& m, const Tensor& den, Out da, Out dm) {
  dispatch_float(a.dtype(), "masked_renorm", [&]<class T>() HWY_ATTR {
    const int64_t K = a.size(1), M = a.size(2), L = a.size(3);
    const T *pg = g.data<T>(), *pa = a.data<T>(), *pm = m.data<T>(), *pd = den.data<T>();
    T *out_a = da ? da.mutate<T>() : nullptr, *out_m = dm ? dm.mutate<T>() : nullptr;
    // A thread owns all heads of a (stream, query) pair: they add to the same row of dm, in order.
    parallel_rows(a.size(0) * M, K * L, [&](int64_t bi) HWY_ATTR {
      const T* mask = pm + bi * L;
      T* mask_gradient = out_m ? out_m + bi * L : nullptr;
      if (mask_gradient) std::fill_n(mask_gradient, L, T{0});
      for (int64_t h = 0; h < K; ++h) {
        const int64_t row = (bi / M * K + h) * M + bi % M;
        const T *gr = pg + row * L, *ar = pa + row * L;
        const T inverse = T{1} / pd[row];
        const T total = inverse * sum_over<T>(L, [&](auto d, int64_t j) HWY_ATTR {  // G, equation (1)
                          const auto masked = hn::Mul(hn::LoadU(d, ar + j), hn::LoadU(d, mask + j));
                          return hn::Mul(hn::LoadU(d, gr + j), masked);
                        });
        const auto centred = [&](auto d, int64_t j) HWY_ATTR {  // (g − G)/den
          return hn::Mul(hn::Sub(hn::LoadU(d, gr + j), hn::Set(d, total)), hn::Set(d, inverse));
        };
        if (out_a) {  // equation (2)
          for_each_vector<T>(L, [&](auto d, int64_t j) HWY_ATTR {
            hn::StoreU(hn::Mul(hn::LoadU(d, mask + j), centred(d, j)), d, out_a + row * L + j);
          });
        }
        if (mask_gradient) {  // equation (3)
          for_each_vector<T>(L, [&](auto d, int64_t j) HWY_ATTR {
            const auto before = hn::LoadU(d, mask_gradient + j);
            hn::StoreU(hn::MulAdd(hn::LoadU(d, ar + j), centred(d, j), before), d, mask_gradient + j);
          });
        }
      }
    });
  });
}

}  // namespace
}  // namespace fade::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fade {

FADE_SIMD_KERNEL(masked_renorm_forward, forward);
FADE_SIMD_KERNEL(masked_renorm_backward, backward);

}  // namespace fade
#endif
