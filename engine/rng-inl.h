// The numbers of engine/rng.h with one Philox counter per vector lane. Included once per instruction
// set, like engine/simd-inl.h.
#include "hwy/highway.h"

#if defined(FADE_ENGINE_RNG_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FADE_ENGINE_RNG_INL_H_
#undef FADE_ENGINE_RNG_INL_H_
#else
#define FADE_ENGINE_RNG_INL_H_
#endif

#include <algorithm>
#include <cstdint>

#include "engine/rng.h"

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// words[4·i, 4·i + 4) = philox(key, first + i) for each i in [0, counters). `counters` is a multiple of the
/// number of 64-bit lanes of every vector, which is at most 8.
inline void philox_words(RngKey key, uint64_t first, int64_t counters, uint32_t* words);

#if HWY_TARGET == HWY_SCALAR
inline void philox_words(RngKey key, uint64_t first, int64_t counters, uint32_t* words) {
  for (int64_t at = 0; at < counters; ++at) {
    const Philox4 four = philox(key, first + at);
    std::copy_n(four.v, 4, words + 4 * at);
  }
}
#else
/// Per 64-bit lane, the 64-bit product of x's lower half and `by`.
template <class D>
HWY_INLINE hn::Vec<D> low_product(D, hn::Vec<D> x, uint32_t by) {
  const hn::Repartition<uint32_t, D> halves;
  return hn::MulEven(hn::BitCast(halves, x), hn::Set(halves, by));
}

inline void philox_words(RngKey key, uint64_t first, int64_t counters, uint32_t* words) {
  const hn::ScalableTag<uint64_t> d;
  const auto low_half = hn::Set(d, 0xFFFFFFFFu);
  for (int64_t at = 0; at < counters; at += hn::Lanes(d)) {
    // c0..c3 are philox()'s, each in the lower half of a lane. The upper halves hold arbitrary bits,
    // which low_product ignores.
    const auto position = hn::Add(hn::Set(d, first + at), hn::Iota(d, 0));
    auto c0 = position, c1 = hn::ShiftRight<32>(position);
    auto c2 = hn::Set(d, key.stream), c3 = hn::Set(d, key.stream >> 32);
    uint32_t k0 = static_cast<uint32_t>(key.seed), k1 = static_cast<uint32_t>(key.seed >> 32);
    for (int round = 0; round < 10; ++round) {
      const auto p0 = low_product(d, c0, 0xD2511F53u), p1 = low_product(d, c2, 0xCD9E8D57u);
      c0 = hn::Xor(hn::Xor(hn::ShiftRight<32>(p1), c1), hn::Set(d, k0));
      c2 = hn::Xor(hn::Xor(hn::ShiftRight<32>(p0), c3), hn::Set(d, k1));
      c1 = p1;
      c3 = p0;
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    const auto c01 = hn::Or(hn::And(c0, low_half), hn::ShiftLeft<32>(c1));
    const auto c23 = hn::Or(hn::And(c2, low_half), hn::ShiftLeft<32>(c3));
    hn::StoreInterleaved2(c01, c23, d, reinterpret_cast<uint64_t*>(words + 4 * at));
  }
}
#endif

}  // namespace fade::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // FADE_ENGINE_RNG_INL_H_
