// Loops over a row of numbers with the widest vectors that the machine at hand has, through Highway.
//
// A file that uses this is compiled once a vector instruction set, and picks one when it runs; it has the
// frame of ops/softmax/softmax_cpu.cpp. Everything between HWY_BEFORE_NAMESPACE and HWY_AFTER_NAMESPACE is
// compiled again for each set, and a lambda there is marked HWY_ATTR. The last n mod lanes elements go one by
// one, as vectors of a single lane, so a loop's body is written once.
#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

#if defined(FADE_ENGINE_SIMD_INL_H_) == defined(HWY_TARGET_TOGGLE)  // once an instruction set
#ifdef FADE_ENGINE_SIMD_INL_H_
#undef FADE_ENGINE_SIMD_INL_H_
#else
#define FADE_ENGINE_SIMD_INL_H_
#endif

#include <cstdint>
#include <limits>

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Calls f(d, i) for each vector [i, i + Lanes(d)) of a row of n numbers of type T.
template <class T, class F>
HWY_INLINE void for_each_vector(int64_t n, const F& f) {
  const hn::ScalableTag<T> d;
  const hn::CappedTag<T, 1> single;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) f(d, i);
  for (; i < n; ++i) f(single, i);
}

/// Σ f(d, i) over the row, f giving a vector. One partial sum a lane, so the error grows with n/lanes.
template <class T, class F>
HWY_INLINE T sum_over(int64_t n, const F& f) {
  const hn::ScalableTag<T> d;
  const hn::CappedTag<T, 1> single;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto partial = hn::Zero(d);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) partial = hn::Add(partial, f(d, i));
  T total = hn::GetLane(hn::SumOfLanes(d, partial));
  for (; i < n; ++i) total += hn::GetLane(f(single, i));
  return total;
}

/// Largest value of f(d, i) over the row, −infinity when n = 0. What a NaN gives is left open.
template <class T, class F>
HWY_INLINE T max_over(int64_t n, const F& f) {
  const hn::ScalableTag<T> d;
  const hn::CappedTag<T, 1> single;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto partial = hn::Set(d, -std::numeric_limits<T>::infinity());
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) partial = hn::Max(partial, f(d, i));
  T largest = hn::GetLane(hn::MaxOfLanes(d, partial));
  for (; i < n; ++i) largest = hn::GetLane(hn::Max(hn::Set(single, largest), f(single, i)));
  return largest;
}

/// e^v within an ulp or so. A NaN stays NaN, which Highway's own Exp makes 0.
template <class D, class V>
HWY_INLINE V exp_of(D d, V v) {
  return hn::IfThenElse(hn::IsNaN(v), v, hn::Exp(d, v));
}

}  // namespace fade::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // FADE_ENGINE_SIMD_INL_H_
