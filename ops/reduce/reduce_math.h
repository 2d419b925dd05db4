// What the largest and the smallest element of a line are, for every device.
#pragma once

#include "engine/host_device.h"

namespace fade {

enum class Extreme { largest, smallest };

/// True iff v is to replace `best`. The first of equal values stays, and the first NaN, which beats all numbers.
template <class T>
FADE_HD bool beats(T v, T best, Extreme which) {
  return (which == Extreme::largest ? v > best : v < best) || (v != v && best == best);
}

}  // namespace fade
