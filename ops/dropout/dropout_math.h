// The mask of a dropout, for every device.
#pragma once

#include "engine/error.h"
#include "ops/dropout/keep_bits.h"

namespace fade {

/// The kept elements, and the factor that they are multiplied by. An attribute of recorded operations.
struct DropoutMask {
  RngKey key;
  uint32_t threshold;  ///< of KeepRule
  double factor;       ///< of KeepRule

  /// Bit j is set iff element 8·group + j is kept: one draw of the generator serves eight elements.
  FADE_HD uint32_t kept(uint64_t group) const { return keep_bits(key, group, threshold); }
};

/// With KeepRule(p). Throws, naming the operation, unless 0 ≤ p < 1.
inline DropoutMask dropout_mask(const char* op, double p, RngKey key) {
  if (!(p >= 0 && p < 1)) fail("{}: p is {}, needs 0 <= p < 1", op, p);
  const KeepRule rule(p);
  return {.key = key, .threshold = rule.threshold, .factor = rule.factor};
}

}  // namespace fade
