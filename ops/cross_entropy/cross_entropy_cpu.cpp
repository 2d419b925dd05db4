#include <cmath>

#include "engine/parallel.h"
#include "ops/cross_entropy/cross_entropy_kernels.h"
#include "ops/softmax/softmax_math.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cross_entropy/cross_entropy_cpu.cpp"
#include "hwy/foreach_target.h"  // compiles this file again for each instruction set

#include "engine/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {
namespace {

template <class F>
HWY_INLINE void for_each_row(const Tensor& logits, const F& f) {
  parallel_for(logits.size(0), (1 << 13) / std::max<int64_t>(logits.size(1), 1) + 1,
               [&](int64_t begin, int64_t end) HWY_ATTR {
                 for (int64_t row = begin; row < end; ++row) f(row);
               });
}

template <class T>
HWY_INLINE T log_sum_exp(const T* x, int64_t n) {
  const T shift =
      exponent_shift(max_over<T>(n, [&](auto d, int64_t i) HWY_ATTR { return hn::LoadU(d, x + i); }));
  const T sum = sum_over<T>(n, [&](auto d, int64_t i) HWY_ATTR {
    return exp_of(d, hn::Sub(hn::LoadU(d, x + i), hn::Set(d, shift)));
  });
  return shift + std::log(sum);
}

void row_lse(const Tensor& logits, const Tensor& lse) {
  dispatch_float(logits.dtype(), "cross_entropy", [&]<class T>() HWY_ATTR {
    const T* x = logits.data<T>();
    T* out = lse.mutate<T>();
    const int64_t n = logits.size(1);
    for_each_row(logits, [&](int64_t row) HWY_ATTR { out[row] = log_sum_exp(x + row * n, n); });
  });
}

void backward(const Tensor& g, const Tensor& logits, const Tensor& targets, const Tensor& lse,
              const Tensor& dlogits) {
  dispatch_float(logits.dtype(), "cross_entropy", [&]<class T>() HWY_ATTR {
    const T *x = logits.data<T>(), *shifts = lse.data<T>();
    const int32_t* target = targets.data<int32_t>();
    T* out = dlogits.mutate<T>();
    const int64_t n = logits.size(1);
    const T factor = *g.data<T>() / static_cast<T>(logits.size(0));
    for_each_row(logits, [&](int64_t row) HWY_ATTR {
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
namespace {

HWY_EXPORT(row_lse);
HWY_EXPORT(backward);

void check_targets(const Tensor& targets, int64_t vocabulary) {
  const int32_t* t = targets.data<int32_t>();
  for (int64_t row = 0; row < targets.numel(); ++row)
    if (t[row] < 0 || t[row] >= vocabulary)
      fail("cross_entropy: target {} of row {} is outside the vocabulary of {} (raise model.vocab?)", t[row],
           row, vocabulary);
}

void forward_cpu(const Tensor& logits, const Tensor& targets, const Tensor& lse, const Tensor& loss) {
  check_targets(targets, logits.size(1));
  HWY_DYNAMIC_DISPATCH(row_lse)(logits, lse);
  dispatch_float(logits.dtype(), "cross_entropy", [&]<class T>() {
    const T *x = logits.data<T>(), *l = lse.data<T>();
    const int32_t* t = targets.data<int32_t>();
    const int64_t rows = logits.size(0), n = logits.size(1);
    double sum = 0;
    for (int64_t row = 0; row < rows; ++row) sum += static_cast<double>(l[row]) - x[row * n + t[row]];
    *loss.mutate<T>() = static_cast<T>(sum / static_cast<double>(rows));
  });
}

[[maybe_unused]] const bool registered =
    cross_entropy_forward.implement(Device::cpu, forward_cpu) &&
    cross_entropy_backward.implement(
        Device::cpu, [](const Tensor& g, const Tensor& logits, const Tensor& targets, const Tensor& lse,
                        const Tensor& dlogits) {
          HWY_DYNAMIC_DISPATCH(backward)(g, logits, targets, lse, dlogits);
        });

}  // namespace
}  // namespace fade
#endif
