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

/// True iff element i is kept.
FADE_HD inline bool is_kept(RngKey key, uint64_t i, uint32_t threshold) {
  return keep_bits(key, i / 8, threshold) >> (i % 8) & 1;
}

}  // namespace fade
