// Masks of dropout in vectors. Included once per instruction set, like engine/simd-inl.h.
#include "hwy/highway.h"

#if defined(FADE_OPS_DROPOUT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FADE_OPS_DROPOUT_INL_H_
#undef FADE_OPS_DROPOUT_INL_H_
#else
#define FADE_OPS_DROPOUT_INL_H_
#endif

#include <cstring>

#include "engine/rng-inl.h"
#include "engine/simd-inl.h"
#include "ops/dropout/dropout_math.h"

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {

/// Most elements whose factors are drawn together.
inline constexpr int64_t kDropoutChunk = 512;

/// factors[i] = mask.factor where element begin + i is kept, else 0, for `count` ≤ kDropoutChunk elements. The decisions
/// of keep_bits: the lower half of a word comes first (little-endian).
template <class T>
void dropout_factors(const DropoutMask& mask, int64_t begin, int64_t count, T* factors) {
  const uint64_t first = mask.first + static_cast<uint64_t>(begin), skipped = first % 8;
  HWY_ALIGN uint32_t words[kDropoutChunk / 2 + 32];
  uint16_t numbers[kDropoutChunk];
  const int64_t counters =
      (static_cast<int64_t>(skipped) + count + 63) / 64 * 8;  // of 8 decisions, 8 at a time
  philox_words(mask.key, first / 8, counters, words);
  std::memcpy(numbers, reinterpret_cast<const uint16_t*>(words) + skipped,
              static_cast<size_t>(count) * sizeof *numbers);
  const auto threshold = static_cast<uint16_t>(mask.threshold);
  const T factor = static_cast<T>(mask.factor);
  for (int64_t i = 0; i < count; ++i) factors[i] = numbers[i] >= threshold ? factor : T{0};
}

/// x times its factor; 0 where that is 0, also if x is infinite or NaN.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> drop(D d, hn::Vec<D> x, const T* factor) {
  const auto f = hn::LoadU(d, factor);
  return hn::IfThenElseZero(hn::Ne(f, hn::Zero(d)), hn::Mul(f, x));
}

}  // namespace fade::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
