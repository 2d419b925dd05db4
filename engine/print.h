// Tensors as text, as NumPy prints arrays:
//
//   std::cout << t << '\n';            // [[1.  2.5]
//                                      //  [3.  4. ]] f32 [2,2]
//   fmt::print("{:.3}\n", t);          // at most 3 digits after the point
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <iosfwd>
#include <optional>
#include <string>

namespace fade {

class Tensor;

/// Most digits after the point that can be asked for.
inline constexpr int kMostDigits = 40;

/// The values of a tensor of any type, shape and device, copied to the host, then its type, its shape, and
/// its device unless that is the CPU; "an empty tensor" for a handle without memory. The values are those of
/// NumPy's array_str: all numbers with one width and the digits that tell them apart, at most 8 after the
/// point; scientific from 1e8 (f32: 1e6), below 1e-4, or where the largest is over 1000 times the smallest;
/// lines of up to 75 characters; of more than 1000 elements only the first and last three along each
/// dimension. A single number has all of its digits. `digits` replaces the 8, of a single number too. Throws
/// when it is not in [0, kMostDigits].
std::string to_string(const Tensor& t, std::optional<int> digits = {});

/// Writes to_string(t).
std::ostream& operator<<(std::ostream& out, const Tensor& t);

}  // namespace fade

namespace fmt {

/// {} is to_string(t), {:.3} is to_string(t, 3).
template <>
struct formatter<fade::Tensor> {
  std::optional<int> digits;  ///< of the format

  /// Reads the format up to `}`. Throws format_error for others.
  constexpr auto parse(fmt::format_parse_context& context) {
    auto at = context.begin();
    if (at == context.end() || *at == '}') return at;
    if (*at++ != '.' || at == context.end() || *at < '0' || *at > '9')
      throw fmt::format_error("a tensor's format is {} or {:.DIGITS}");
    int number = 0;
    for (; at != context.end() && *at >= '0' && *at <= '9'; ++at)
      number = std::min(10 * number + (*at - '0'), fade::kMostDigits + 1);
    if (at != context.end() && *at != '}') throw fmt::format_error("a tensor's format is {} or {:.DIGITS}");
    digits = number;
    return at;
  }
  /// Writes to_string(t, digits).
  auto format(const fade::Tensor& t, fmt::format_context& context) const {
    return fmt::format_to(context.out(), "{}", fade::to_string(t, digits));
  }
};

}  // namespace fmt
