// The case table of the operations. Each entry is checked for its values, its gradient, its f32 results and
// the bytes it saves. Then bugs are planted in it, which the checks must find (planted_bugs_test.cpp).
//
// ops/<folder>/<op>_cases.cpp adds entries from a static initializer:
//
//   const bool added = add_cases("elementwise", {{
//       .name = "mul/same_shape",
//       .inputs = {{{3, 5}}, {{3, 5}}},
//       .run = [](const Tensors& in) { return mul(in[0], in[1]); },
//       .reference = [](const Arrays& in) { return map2(in[0], in[1], std::multiplies()); },
//       .shape = {3, 5},
//   }});
#pragma once

#include <array>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/tensor.h"

namespace fade::test {

using Values = std::vector<double>;
using Tensors = std::vector<Tensor>;
using Arrays = std::vector<Values>;

/// The value of element i, given a random number u in [0, 1).
using Fill = std::function<double(int64_t i, double u)>;

/// low ≤ v < high, and at least kKinkDistance from every number in `kinks`.
Fill uniform_values(double low, double high, const Values& kinks = {});
/// low ≤ v < high, at least kKinkDistance from every whole number.
Fill between_integers(int low, int high);
/// Different from each other by at least 0.05, in shuffled order: no ties.
Fill distinct_values(int64_t count);
/// The values themselves, row-major.
Fill these(const Values& values);

/// Inputs stay this far from points where a derivative jumps: far more than a step of the finite differences.
inline constexpr double kKinkDistance = 0.02;

enum class Role {
  differentiable,  ///< f64 or f32; its gradient is checked
  constant,        ///< f64 or f32, not differentiated
  integers,        ///< i32
};

struct Input {
  Shape shape;
  Fill fill = uniform_values(-2, 2);
  Role role = Role::differentiable;
  bool zero_gradient = false;  ///< the right gradient is zero everywhere
};

using Run = std::function<Tensor(const Tensors& inputs)>;

/// A plausible mistake in the operation: the checks of values must find it.
struct WrongRun {
  std::string what;
  Run run;
};

struct OpCase {
  std::string name;  ///< operation/variant
  std::vector<Input> inputs;
  Run run;
  /// The values of the result, computed naively in double from the formula, without any code of this project.
  std::function<Values(const Arrays& inputs)> reference;
  Shape shape;              ///< of the result
  int64_t saved_bytes = 0;  ///< bytes that the tape keeps alive for backward in f64, without the inputs
  bool broadcasts = false;  ///< an input is broadcast, and the tape sums its gradient
  std::vector<WrongRun> wrong = {};
  std::string folder = {};  ///< ops/<folder>, filled in by add_cases
};

/// Adds to the table. Returns true so that it can initialise a static constant. Throws on a second case with
/// the same name.
bool add_cases(std::string_view folder, std::vector<OpCase> cases);
/// The whole table; complete when main() begins.
const std::vector<OpCase>& op_cases();

/// The inputs of the case in double: the same on every run, and rounded to f32 so that both types get them
/// without another rounding.
Arrays input_values(const OpCase& c);
/// `values` as tensors: f32 or f64 by `dtype`, i32 where the case says so. Differentiable ones are leaves.
Tensors input_tensors(const OpCase& c, const Arrays& values, DType dtype, Device device);

/// For references: offset, in a row-major array of `shape`, of the element at `index`.
int64_t offset(const Shape& shape, std::initializer_list<int64_t> index);
/// For references: an array of `shape` (two to four dimensions) with f(index) everywhere.
Values tabulate(const Shape& shape, const std::function<double(const std::array<int64_t, 4>& index)>& f);

/// For wrong runs: `integers` (i32) plus `by`; the tensor itself if `by` is 0.
Tensor shifted(const Tensor& integers, int by);

}  // namespace fade::test
