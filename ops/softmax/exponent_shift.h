// What keeps exponentials of a row within range.
#pragma once

#include <cmath>

#include "engine/host_device.h"

namespace fade {

/// What a row's exponents are shifted by: its maximum, and 0 when there is nothing but −inf, where the
/// maximum itself would give −inf − −inf.
template <class T>
FADE_HD T exponent_shift(T largest) {
  return largest == -INFINITY ? T{0} : largest;
}

}  // namespace fade
