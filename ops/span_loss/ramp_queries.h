// Which queries of a block meet a row under its ramp.
#pragma once

#include <cmath>
#include <cstdint>

#include "engine/host_device.h"

namespace fade {

/// Consecutive queries first, first + 1, ... that have 0 < m < 1 for one row.
struct RampQueries {
  int64_t first, count;
  /// Σ r over them, for a row with `left` = e − age positions left at query 0: query i has r = left − i.
  template <class T>
  FADE_HD T sum_of_remaining(T left) const {
    const int64_t last = first + count - 1, sum_of_queries = count * (first + last) / 2;
    return static_cast<T>(count) * left - static_cast<T>(sum_of_queries);
  }
};

/// Positions that a row has left at query 0: rounded as in T, where the mask was computed, then exact.
template <class T>
FADE_HD double left_at_first_query(T span, int32_t age) {
  return static_cast<double>(span - static_cast<T>(age));
}

/// 0 < m < 1 is −R < left − i < 0, that is left < i < left + R, and 0 ≤ i < M.
template <class T>
FADE_HD RampQueries ramp_queries(T left, int ramp, int64_t block) {
  if (left >= static_cast<T>(block) || left <= static_cast<T>(-ramp)) return {0, 0};  // most rows
  // A NaN is no place, and goes on into the sum.  NOLINTNEXTLINE(misc-redundant-expression)
  if (left != left) return {0, 1};
  const T low = std::floor(left) + 1, high = std::ceil(left + static_cast<T>(ramp)) - 1;
  const int64_t first = low <= 0 ? 0 : low >= static_cast<T>(block) ? block : static_cast<int64_t>(low);
  const int64_t last = high < 0 ? -1 : high >= static_cast<T>(block) ? block - 1 : static_cast<int64_t>(high);
  return {first, last >= first ? last - first + 1 : 0};
}

}  // namespace fade
