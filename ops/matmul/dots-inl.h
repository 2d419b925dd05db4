// Four scalar products at a time. Included once per instruction set.
#if defined(FADE_DOTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FADE_DOTS_INL_H_
#undef FADE_DOTS_INL_H_
#else
#define FADE_DOTS_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>

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

/// sums [R, kDots] = R rows of a, `depth` apart, times kDots columns, of which load(d, c, k) gives the elements of
/// column c from k on as a vector. Every sum is one chain of additions per lane.
template <int R, class T, class F>
HWY_INLINE void dots(const T* a, int64_t depth, const F& load, T* sums) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = hn::Lanes(d);
  hn::Vec<decltype(d)> sum[R][kDots];
  for (int r = 0; r < R; ++r)
    for (int c = 0; c < kDots; ++c) sum[r][c] = hn::Zero(d);
  int64_t k = 0;
  for (; k + lanes <= depth; k += lanes) {
    hn::Vec<decltype(d)> column[kDots];
    for (int c = 0; c < kDots; ++c) column[c] = load(d, c, k);
    for (int r = 0; r < R; ++r) {
      const auto x = hn::LoadU(d, a + r * depth + k);
      for (int c = 0; c < kDots; ++c) sum[r][c] = hn::MulAdd(x, column[c], sum[r][c]);
    }
  }
  for (int r = 0; r < R; ++r) sums_of_lanes(d, sum[r], sums + r * kDots);
  const hn::CappedTag<T, 1> one;  // rounded once, whatever the compiler makes of a loop
  for (; k < depth; ++k)
    for (int r = 0; r < R; ++r)
      for (int c = 0; c < kDots; ++c) {
        T& to = sums[r * kDots + c];
        to = hn::GetLane(hn::MulAdd(hn::Set(one, a[r * depth + k]), load(one, c, k), hn::Set(one, to)));
      }
}

}  // namespace fade::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
