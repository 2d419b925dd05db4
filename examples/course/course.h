// What the programs of the course share: tensors from numbers, printing, and the checks of the solutions.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/tensor.h"

/// A tensor of f64 with these values, row-major: values({2, 2}, {1, 2, 3, 4}).
inline fade::Tensor values(const fade::Shape& shape, const std::vector<double>& numbers) {
  return fade::Tensor::from(numbers, shape);
}

/// "0.5  -1  0.333333": six digits, which are the same on every machine. What rounding leaves of a zero is
/// not: numbers below 1e-9 print as 0.
inline std::string text_of(std::span<const double> numbers) {
  std::string text;
  for (const double x : numbers)
    text += fmt::format("{}{:.6g}", text.empty() ? "" : "  ", std::abs(x) < 1e-9 ? 0.0 : x);
  return text;
}

/// Prints the name and the values of a tensor of f64: in one line, or a matrix in one line per row.
inline void show(std::string_view name, const fade::Tensor& t) {
  const std::vector<double> all = t.to_vector<double>();
  const int dims = t.shape().dims();
  const auto width = static_cast<size_t>(dims < 2 ? t.numel() : t.size(-1));
  for (size_t i = 0; i < all.size(); i += width)
    fmt::print("{}{}\n", i == 0 ? fmt::format("{:<12} ", name) : std::string(13, ' '),
               text_of(std::span(all).subspan(i, width)));
}

/// Of a solution: prints what holds, or ends the program with exit code 1.
inline void expect(bool holds, std::string_view what) {
  fmt::print("{}  {}\n", holds ? "ok    " : "FAILED", what);
  if (!holds) std::exit(1);
}

/// Equal up to rounding, or up to `tolerance`.
inline bool close(double a, double b, double tolerance = 1e-9) { return std::abs(a - b) <= tolerance; }
