#include <cmath>

#include "ops/check.h"
#include "ops/cross_entropy/cross_entropy_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cross_entropy/cross_entropy_cpu.cpp"
#include "hwy/foreach_target.h"  // compiles this file again for each instruction set

#include "engine/simd-inl.h"
#include "ops/softmax/exp_sum-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {
namespace {

void forward(const Tensor& logits, const Tensor& targets, Out lse, Out loss) {
  const int64_t rows = logits.size(0), n = logits.size(1);
  check_indices("cross_entropy", "target", targets, 0, n);
  dispatch_float(logits.dtype(), "cross_entropy", [&]<class T>() HWY_ATTR {
    const T* x = logits.data<T>();
    const int32_t* target = targets.data<int32_t>();
    T* out = lse.mutate<T>();
    parallel_rows(rows, n, [&](int64_t row) HWY_ATTR {
      const ExpSum<T> total = exp_sum(x + row * n, n);
      out[row] = total.shift + std::log(total.sum);
    });
    double sum = 0;
    for (int64_t row = 0; row < rows; ++row) sum += static_cast<double>(out[row]) - x[row * n + target[row]];
    *loss.mutate<T>() = static_cast<T>(sum / static_cast<double>(rows));
  });
}

void backward(const Tensor& g, const Tensor& logits, const Tensor& targets, const Tensor& lse, Out dlogits) {
  dispatch_float(logits.dtype(), "cross_entropy", [&]<class T>() HWY_ATTR {
    const T *x = logits.data<T>(), *shifts = lse.data<T>();
    const int32_t* target = targets.data<int32_t>();
    T* out = dlogits.mutate<T>();
    const int64_t rows = logits.size(0), n = logits.size(1);
    const T factor = *g.data<T>() / static_cast<T>(rows);
    parallel_rows(rows, n, [&](int64_t row) HWY_ATTR {
      const T* xr = x + row * n;
      T* dr = out + row * n;
      for_each_vector<T>(n, [&](auto d, int64_t i) HWY_ATTR {
        const auto p = exp_of(d, hn::Sub(hn::LoadU(d, xr + i), hn::Set(d, shifts[row])));
        hn::StoreU(hn::Mul(p, hn::Set(d, factor)), d, dr + i);
      });
      dr[target[row]] -= factor;
    });
  });
}

}  // namespace
}  // namespace fade::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fade {

FADE_SIMD_KERNEL(cross_entropy_forward, forward);
FADE_SIMD_KERNEL(cross_entropy_backward, backward);

}  // namespace fade
#endif
