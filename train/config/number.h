// Numbers as text: one reader for configuration files and for the command line.
#pragma once

#include <fmt/format.h>

#include <charconv>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace fade {

/// The numbers that a key or an option may take. Integers compare exactly, because every bound is below 2^53.
struct Range {
  double low = 0;
  double high = std::numeric_limits<double>::max();
  bool above_low = false;  ///< low itself is not allowed

  /// False for infinities and NaNs.
  bool contains(double value) const { return value <= high && (above_low ? value > low : value >= low); }
};

/// The whole text as a decimal number of type T in `range`, or nothing: 3.0 and 1e3 are not integers, 010 is
/// ten, and there are no hexadecimal numbers, no spaces and no separators.
template <class T>
requires std::is_arithmetic_v<T> std::optional<T> parse_number(std::string_view text, const Range& range) {
  T value{};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || !range.contains(static_cast<double>(value))) return std::nullopt;
  return value == 0 ? T{} : value;  // (-0 is 0)
}

/// The numbers of type T in `range`, in words: "an integer of at least 2 and at most 65536".
template <class T>
std::string numbers_in(const Range& range) {
  const std::string low = fmt::format("{} {} {}", std::is_integral_v<T> ? "an integer" : "a number",
                                      range.above_low ? "above" : "of at least", range.low);
  return range.high == Range{}.high ? low : fmt::format("{} and at most {}", low, range.high);
}

}  // namespace fade
