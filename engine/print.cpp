#include "engine/print.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <ostream>
#include <vector>

#include "engine/tensor.h"

namespace fade {
namespace {

// The defaults of numpy.set_printoptions.
constexpr int64_t kThreshold = 1000;  ///< more elements are summarised
constexpr int64_t kEdge = 3;          ///< elements at each end of a dimension that are left then
constexpr int kDigits = 8;            ///< after the point
constexpr size_t kLineWidth = 75;

using Words = std::vector<std::string>;

/// A number in decimal: whole.fraction, times 10^exponent in scientific notation.
struct Decimal {
  std::string whole, fraction;
  int exponent = 0;
};

// std::to_chars writes the shortest digits that are read back as v, or, with a precision,
// v correctly rounded.
template <class T>
std::string digits_of(T v, auto... how) {
  char text[400];
  return {text, std::to_chars(text, std::end(text), v, how...).ptr};
}

// Splits "-12.500e-05" into its parts. Zeros at the end of the fraction are dropped.
Decimal split(const std::string& text) {
  const size_t e = std::min(text.find('e'), text.size()), point = std::min(text.find('.'), e);
  Decimal d{.whole = text.substr(0, point),
            .fraction = text.substr(std::min(point + 1, e), e - std::min(point + 1, e))};
  if (e < text.size()) d.exponent = std::stoi(text.substr(e + 1));
  d.fraction.erase(d.fraction.find_last_not_of('0') + 1);
  return d;
}

template <class T>
Decimal scientific(T v, int digits) {
  const Decimal shortest = split(digits_of(v, std::chars_format::scientific));
  if (std::ssize(shortest.fraction) <= digits) return shortest;
  return split(digits_of(v, std::chars_format::scientific, digits));
}

template <class T>
Decimal positional(T v, int digits) {
  const Decimal shortest = split(digits_of(v, std::chars_format::scientific));
  const int point = shortest.exponent + 1;  // its place, counted from the first digit
  if (std::ssize(shortest.fraction) + 1 - point > digits)
    return split(digits_of(v, std::chars_format::fixed, digits));
  const bool negative = shortest.whole[0] == '-';
  std::string all = shortest.whole.substr(negative) + shortest.fraction;
  if (point <= 0) all.insert(0, static_cast<size_t>(1 - point), '0');
  const auto whole = static_cast<size_t>(std::max(point, 1));
  if (all.size() < whole) all.resize(whole, '0');
  return split((negative ? "-" : "") + all.substr(0, whole) + '.' + all.substr(whole));
}

// The exponent with its sign and at least two digits.
std::string exponent_text(int exponent, size_t digits = 2) {
  const std::string number = std::to_string(std::abs(exponent));
  return (exponent < 0 ? "e-" : "e+") + std::string(digits - std::min(digits, number.size()), '0') + number;
}

std::string not_finite_text(double v) { return std::isnan(v) ? "nan" : v < 0 ? "-inf" : "inf"; }

Words to_width(Words words, size_t width) {
  for (std::string& word : words) word.insert(0, width - word.size(), ' ');
  return words;
}

/// From this magnitude on numbers are scientific: f32 has no more than 6 certain digits.
template <class T>
constexpr double kLarge = sizeof(T) == 4 ? 1e6 : 1e8;

template <class T>
bool is_scientific(const std::vector<T>& values) {
  T smallest = INFINITY, largest = 0;
  for (const T v : values) {
    if (!std::isfinite(v) || v == 0) continue;
    smallest = std::min(smallest, std::abs(v));
    largest = std::max(largest, std::abs(v));
  }
  return largest > 0 && (largest >= T(kLarge<T>) || smallest < T(1e-4) || largest / smallest > 1000);
}

// Floating-point numbers of an array: the points stand below each other.
template <class T>
requires std::is_floating_point_v<T> Words words_of(const std::vector<T>& values, int digits) {
  const bool has_exponents = is_scientific(values);
  std::vector<Decimal> numbers;
  size_t whole = 0, fraction = 0, exponent = 2, longest_other = 0;
  for (const T v : values) {
    if (!std::isfinite(v)) {
      numbers.push_back({});
      longest_other = std::max(longest_other, not_finite_text(v).size());
      continue;
    }
    numbers.push_back(has_exponents ? scientific(v, digits) : positional(v, digits));
    whole = std::max(whole, numbers.back().whole.size());
    fraction = std::max(fraction, numbers.back().fraction.size());
    exponent = std::max(exponent, std::to_string(std::abs(numbers.back().exponent)).size());
  }
  const size_t after_whole = whole ? 1 + fraction + (has_exponents ? 2 + exponent : 0) : 0;
  const size_t width = std::max(whole + after_whole, longest_other);
  Words words;
  for (size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) {
      words.push_back(not_finite_text(values[i]));
      continue;
    }
    // In scientific notation all numbers have the same digits: exact ones, not zeros, fill a shorter number.
    Decimal d = numbers[i];
    if (has_exponents)
      d = split(digits_of(values[i], std::chars_format::scientific, static_cast<int>(fraction)));
    d.fraction.resize(fraction, has_exponents ? '0' : ' ');
    words.push_back(d.whole + '.' + d.fraction + (has_exponents ? exponent_text(d.exponent, exponent) : ""));
  }
  return to_width(words, width);
}

template <class T>
Words words_of(const std::vector<T>& values, int) {
  Words words;
  size_t width = 0;
  for (const T v : values) {
    words.push_back(std::to_string(v));
    width = std::max(width, words.back().size());
  }
  return to_width(words, width);
}

// A number alone: all of its digits, and always one after the point.
template <class T>
std::string number_alone(T v) {
  if constexpr (std::is_floating_point_v<T>) {
    if (!std::isfinite(v)) return not_finite_text(v);
    const double size = std::abs(static_cast<double>(v)), large = sizeof(T) == 4 ? kLarge<T> : 1e16;
    const bool has_exponent = size != 0 && (size < 1e-4 || size >= large);
    const Decimal d = has_exponent ? scientific(v, kMostDigits) : positional(v, kMostDigits);
    if (!has_exponent) return d.whole + '.' + (d.fraction.empty() ? "0" : d.fraction);
    return d.whole + (d.fraction.empty() ? "" : '.' + d.fraction) + exponent_text(d.exponent);
  } else {
    return std::to_string(v);
  }
}

/// Brackets, lines and "..." around the elements of a shape.
class Layout {
 public:
  explicit Layout(const Shape& shape) : shape_(shape), summarises_(shape.numel() > kThreshold) {}

  /// The elements that are shown, in order.
  template <class T>
  std::vector<T> shown(const T* values) const {
    std::vector<T> all;
    collect(values, 0, 0, all);
    return all;
  }

  /// The text of the words of these elements.
  std::string text(const Words& words) const {
    size_t next = 0;
    return block(0, words, next);
  }

 private:
  /// Calls f(index) for each index of a dimension that is shown, f(-1) for a gap.
  template <class F>
  void for_each_shown(int dim, const F& f) const {
    const int64_t n = shape_[dim];
    const bool gap = summarises_ && n > 2 * kEdge;
    for (int64_t i = 0; i < n; ++i) {
      if (gap && i == kEdge) {
        f(-1);
        i = n - kEdge;
      }
      f(i);
    }
  }

  template <class T>
  void collect(const T* values, int dim, int64_t at, std::vector<T>& all) const {
    if (dim == shape_.dims()) return all.push_back(values[at]);
    for_each_shown(dim, [&](int64_t i) {
      if (i >= 0) collect(values, dim + 1, at * shape_[dim] + i, all);
    });
  }

  std::string block(int dim, const Words& words, size_t& next) const {
    if (dim == shape_.dims()) return words[next++];
    const bool last = dim == shape_.dims() - 1;
    const std::string indent(static_cast<size_t>(dim) + 1, ' ');
    // A line ends before the brackets that close all dimensions would pass its width.
    const size_t width = kLineWidth - indent.size();
    const std::string between(static_cast<size_t>(shape_.dims() - 1 - dim), '\n');
    std::string lines, line;
    for_each_shown(dim, [&](int64_t i) {
      const std::string part = i < 0 ? "..." : block(dim + 1, words, next);
      if (!last) {
        lines += lines.empty() ? part : between + indent + part;
        return;
      }
      if (!line.empty() && indent.size() + line.size() + 1 + part.size() > width) {
        line.erase(line.find_last_not_of(' ') + 1);
        lines += line + '\n' + indent;
        line.clear();
      }
      line += (line.empty() ? "" : " ") + part;
    });
    return '[' + lines + line + ']';
  }

  Shape shape_;
  bool summarises_;
};

}  // namespace

std::string to_string(const Tensor& t, std::optional<int> digits) {
  if (digits && (*digits < 0 || *digits > kMostDigits))
    fail("to_string: {} digits after the point, needs 0 to {}", *digits, kMostDigits);
  if (!t) return "an empty tensor";
  const Tensor copy = t.to(Device::cpu), host = t.dtype() == DType::bf16 ? copy.to(DType::f32) : copy;
  std::string text = dispatch_any(host.dtype(), [&]<class T>() -> std::string {
    if (t.numel() == 0) return "[]";
    if (t.shape().dims() == 0 && !digits) return number_alone(*host.data<T>());
    const Layout layout(t.shape());
    return layout.text(words_of(layout.shown(host.data<T>()), digits.value_or(kDigits)));
  });
  text += fmt::format(" {} {}", name_of(t.dtype()), t.shape().str());
  if (t.device() != Device::cpu) text += fmt::format(" on {}", name_of(t.device()));
  return text;
}

std::ostream& operator<<(std::ostream& out, const Tensor& t) { return out << to_string(t); }

}  // namespace fade
