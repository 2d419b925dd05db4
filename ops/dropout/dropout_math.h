// The mask of a dropout, for every device.
#pragma once

#include "engine/error.h"
#include "ops/dropout/dropout.h"
#include "ops/dropout/keep_bits.h"

namespace fade {

/// The kept elements, and the factor that they are multiplied by. An attribute of recorded operations.
struct DropoutMask {
  RngKey key;
  uint64_t first;      ///< of DropoutDraw
  uint32_t threshold;  ///< of KeepRule
  double factor;       ///< of KeepRule

  /// Bit j, j < 8, is set iff element 8·group + j is kept.
  FADE_HD uint32_t kept(uint64_t group) const { return keep_bits_from(key, first + 8 * group, threshold); }
};

/// The mask of `draw`. Throws, naming the operation, unless 0 ≤ p < 1.
inline DropoutMask dropout_mask(const char* op, const DropoutDraw& draw) {
  if (!(draw.p >= 0 && draw.p < 1)) fail("{}: p is {}, needs 0 <= p < 1", op, draw.p);
  const KeepRule rule(draw.p);
  return {.key = draw.key, .first = draw.first, .threshold = rule.threshold, .factor = rule.factor};
}

}  // namespace fade
