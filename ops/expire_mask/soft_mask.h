// The ramp at the end of a span, for one row and one query.
#pragma once

#include <cstdint>

#include "engine/host_device.h"

namespace fade {

/// m = clamp((e − δ)/R + 1, 0, 1) for a row of span e that is δ = `distance` positions away; 0 where δ < 1.
template <class T>
FADE_HD T soft_mask(T span, int32_t distance, int ramp) {
  const T left = (span - static_cast<T>(distance)) / static_cast<T>(ramp) + T{1};
  return distance < 1 || left <= 0 ? T{0} : left < 1 ? left : T{1};
}

/// True iff the mask's gradient reaches the span, which it then does with 1/R: −R ≤ e − δ ≤ 0, δ ≥ 1.
template <class T>
FADE_HD bool under_ramp(T span, int32_t distance, int ramp) {
  const T r = span - static_cast<T>(distance);
  return distance >= 1 && r >= static_cast<T>(-ramp) && r <= 0;
}

}  // namespace fade
