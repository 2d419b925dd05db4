// Which elements dropout keeps, for every device.
#pragma once

#include "engine/rng.h"

namespace fade {

/// The kept elements, and the factor that they are multiplied by. An attribute of the recorded operation.
struct DropoutMask {
  RngKey key;
  uint32_t threshold;  ///< element i is kept iff uniform(key, i)·2^24 ≥ threshold, which is ⌈p·2^24⌉
  double factor;       ///< 1/(1 − p)

  /// Bit j is set iff element 4·group + j is kept: one draw of the generator serves four elements.
  FADE_HD uint32_t kept(uint64_t group) const {
    const Philox4 r = philox(key, group);
    uint32_t bits = 0;
    for (uint32_t j = 0; j < 4; ++j) bits |= static_cast<uint32_t>((r.v[j] >> 8) >= threshold) << j;
    return bits;
  }
};

}  // namespace fade
