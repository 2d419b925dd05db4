// Four scalar products at a time. Included once per instruction set.
#if defined(FADE_DOTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FADE_DOTS_INL_H_
#undef FADE_DOTS_INL_H_
#else
#define FADE_DOTS_INL_H_
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Sums over lanes that are taken together.
inline constexpr int kDots = 4;

#if HWY_TARGET == HWY_SCALAR
template <class D>
HWY_INLINE void sums_of_lanes(D, const hn::Vec<D> (&v)[kDots], hn::TFromD<D>* to) {
  for (int c = 0; c < kDots; ++c) to[c] = hn::GetLane(v[c]);
}
#else
/// The sum of the 128-bit blocks of v.
template <class D>
HWY_INLINE auto sum_of_blocks(D, hn::Vec<D> v) {
  if constexpr (hn::MaxLanes(D()) * sizeof(hn::TFromD<D>) <= 16) {
    return v;
  } else {
    const hn::Half<D> half;
    return sum_of_blocks(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
}

/// to[c] = the sum of the lanes of v[c].
template <class D>
HWY_INLINE void sums_of_lanes(D d, const hn::Vec<D> (&v)[kDots], hn::TFromD<D>* to) {
  if constexpr (sizeof(hn::TFromD<D>) == sizeof(float)) {
    // Of pairs of lanes of each block, of columns 0 and 2, and 1 and 3; then of all four columns.
    const auto even = hn::Add(hn::InterleaveLower(d, v[0], v[2]), hn::InterleaveUpper(d, v[0], v[2]));
    const auto odd = hn::Add(hn::InterleaveLower(d, v[1], v[3]), hn::InterleaveUpper(d, v[1], v[3]));
    const auto all = hn::Add(hn::InterleaveLower(d, even, odd), hn::InterleaveUpper(d, even, odd));
    hn::StoreU(sum_of_blocks(d, all), hn::FixedTag<float, kDots>(), to);
  } else {
    for (int c = 0; c < kDots; ++c) to[c] = hn::GetLane(hn::SumOfLanes(d, v[c]));
  }
}
#endif

}  // namespace fade::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
