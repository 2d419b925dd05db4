// Numbers in tables and pictures.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

namespace fade {

/// `value` with at least `decimals` decimals, and with as many as three significant digits need: a step of
/// 0.0412 ms must not become 0.0.
inline std::string figure(double value, int decimals) {
  if (value == 0 || !std::isfinite(value)) return fmt::format("{:.{}f}", value, decimals);
  const int needed = 2 - static_cast<int>(std::floor(std::log10(std::abs(value))));
  return fmt::format("{:.{}f}", value, std::clamp(needed, decimals, 12));
}

}  // namespace fade
