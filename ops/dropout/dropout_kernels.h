// Kernel of dropout, the same for both directions.
#pragma once

#include "engine/kernel.h"
#include "engine/rng.h"
#include "engine/tensor.h"

namespace fade {

/// Which elements are kept, and what they are multiplied by. An attribute of the recorded operation.
struct DropoutMask {
  RngKey key;
  uint32_t threshold;  ///< element i is kept iff uniform(key, i)·2^24 ≥ threshold: p in the generator's steps
  double factor;       ///< 1/(1 − p)

  /// Bit j is set iff element 4·group + j is kept: one draw of the generator serves four elements.
  FADE_HD uint32_t kept(uint64_t group) const {
    const Philox4 r = philox(key, group);
    uint32_t bits = 0;
    for (uint32_t j = 0; j < 4; ++j) bits |= static_cast<uint32_t>((r.v[j] >> 8) >= threshold) << j;
    return bits;
  }
};

/// y_i = factor·x_i where i is kept, else 0.
inline constinit Kernel<void(const Tensor& x, const DropoutMask& mask, const Tensor& y)> dropout_kernel{
    "dropout"};

}  // namespace fade
