// In the place of ops/span_attention/ramp.h: a ramp that is flat at both ends (docs/change_the_ramp.md).
#pragma once

#include <cmath>
#include <numbers>

#include "engine/host_device.h"

namespace fade {

/// sin²(πx/2) = (1 − cos πx)/2. Near 0, where 1 − cos πx rounds to 0 in f32, the square does not.
template <class T>
FADE_HD T ramp_value(T x) {
  const T s = std::sin(std::numbers::pi_v<T> / 2 * x);
  return s * s;
}

/// π/2 · sin πx.
template <class T>
FADE_HD T ramp_slope(T x) {
  return std::numbers::pi_v<T> / 2 * std::sin(std::numbers::pi_v<T> * x);
}

}  // namespace fade
