// In the place of ops/span_attention/ramp.h: a ramp that is flat at both ends.
#pragma once

#include <cmath>
#include <numbers>

#include "engine/host_device.h"

namespace fade {

/// (1 − cos πx)/2.
template <class T>
FADE_HD T ramp_value(T x) {
  return (1 - std::cos(std::numbers::pi_v<T> * x)) / 2;
}

/// π/2 · sin πx.
template <class T>
FADE_HD T ramp_slope(T x) {
  return std::numbers::pi_v<T> / 2 * std::sin(std::numbers::pi_v<T> * x);
}

}  // namespace fade
