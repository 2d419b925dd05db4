// Σ e^x of a row, within range: what log-softmax, logsumexp and cross-entropy share. Included once per
// instruction set (see foreach_target in Highway), after engine/simd-inl.h.
#if defined(FADE_EXP_SUM_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FADE_EXP_SUM_INL_H_
#undef FADE_EXP_SUM_INL_H_
#else
#define FADE_EXP_SUM_INL_H_
#endif

#include "ops/softmax/softmax_math.h"

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {

/// Σ e^x = sum·e^shift.
template <class T>
struct ExpSum {
  T shift, sum;
};

template <class T>
HWY_INLINE ExpSum<T> exp_sum(const T* x, int64_t n) {
  const T shift =
      exponent_shift(max_over<T>(n, [&](auto d, int64_t i) HWY_ATTR { return hn::LoadU(d, x + i); }));
  return {shift, sum_over<T>(n, [&](auto d, int64_t i) HWY_ATTR {
            return exp_of(d, hn::Sub(hn::LoadU(d, x + i), hn::Set(d, shift)));
          })};
}

}  // namespace fade::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // FADE_EXP_SUM_INL_H_
