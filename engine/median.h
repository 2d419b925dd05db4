// The median: what is typical of values that a few outliers must not spoil, such as times.
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
