// The median, for times that an interruption of the machine must not spoil.
#pragma once

#include <algorithm>
#include <vector>

namespace fade {

/// The middle one of the sorted values; the upper of the two in the middle when their number is even.
/// `values` must not be empty.
inline double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

}  // namespace fade
