// The shift that keeps the exponentials of a row within range, for every device.
#pragma once

#include <cmath>

#include "engine/host_device.h"

namespace fade {

/// The number subtracted from each exponent of a row: its maximum, or 0 if the row holds only −inf, where the
/// maximum would give −inf − (−inf).
template <class T>
FADE_HD T exponent_shift(T largest) {
  return largest == -INFINITY ? T{0} : largest;
}

}  // namespace fade
