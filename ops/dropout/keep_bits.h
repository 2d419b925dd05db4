// Which elements dropout keeps, for every device: decisions on 16 random bits, eight from one draw of Philox.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "engine/rng.h"

namespace fade {

/// Dropout with a probability p that is rounded up to a multiple of 2^-16, p', and is at most 1 − 2^-16.
struct KeepRule {
  uint32_t threshold;  ///< a number of 16 bits is kept iff it is at least p'·2^16
  double factor;       ///< of what is kept, 1/(1 − p'): so the expected value stays the same, exactly

  /// 0 ≤ p < 1
  explicit KeepRule(double p)
      : threshold(static_cast<uint32_t>(std::min(std::ceil(p * 0x1p16), 0x1p16 - 1))),
        factor(0x1p16 / (0x1p16 - threshold)) {}
};

/// Bit j is set iff element 8·group + j of a stream of decisions is kept. Its number is the lower (j even) or
/// upper half of word j/2 of philox(key, group).
FADE_HD inline uint32_t keep_bits(RngKey key, uint64_t group, uint32_t threshold) {
  const Philox4 r = philox(key, group);
  uint32_t bits = 0;
  for (uint32_t j = 0; j < 8; ++j) {
    const uint32_t word = r.v[j / 2], number = j % 2 ? word : word << 16;  // in the upper 16 bits
    bits |= static_cast<uint32_t>(number >= threshold << 16) << j;
  }
  return bits;
}

/// Bit j, j < 8, is set iff element first + j is kept: one draw where `first` is a multiple of 8, else two.
FADE_HD inline uint32_t keep_bits_from(RngKey key, uint64_t first, uint32_t threshold) {
  const auto shift = static_cast<uint32_t>(first % 8);
  const uint32_t bits = keep_bits(key, first / 8, threshold) >> shift;
  return shift ? bits | keep_bits(key, first / 8 + 1, threshold) << (8 - shift) : bits;
}

/// True iff element i is kept.
FADE_HD inline bool is_kept(RngKey key, uint64_t i, uint32_t threshold) {
  return keep_bits(key, i / 8, threshold) >> (i % 8) & 1;
}

}  // namespace fade
