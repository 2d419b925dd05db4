// gradcheck: compares the gradients of a function with differences of its values.
//
//   gradcheck([](const std::vector<Tensor>& in) { return softplus(in[0]); }, {x});
//   gradcheck([&](const auto&) { return model(x); }, parameters.leaves());  // leaves that f has captured
//
// It throws when they disagree, and says what is wrong:
//
//   gradcheck: 6 of 6 elements of the gradient of input 0 [2,3] are wrong
//     first, [0, 0]: 0.3, differences give 0.6
//     worst, [1, 2]: -1.1, differences give -2.2
//     every element is 0.5 times the right one: a missing factor ...
//
// What is differentiated is Σ cotangent·result with random cotangents. A plain sum would be blind: the sum of
// a softmax is 1 whatever its input is, so that a rule which adds nothing would pass.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/rng.h"
#include "engine/tensor.h"

namespace fade {

/// What is compared, and how closely.
struct GradcheckOptions {
  /// Inputs (by number, from 0) whose gradient is zero everywhere, and is meant to be. Any other input whose
  /// gradient is zero everywhere is an error: such a check would say nothing.
  std::vector<int> zero_gradient = {};
  /// Of an input with more elements, this many are compared: the first, the last, and random ones between.
  int64_t max_elements = 1000;
  /// Allowed is tolerance·(|difference| + the median of the input's), and what rounding f itself may cause.
  double tolerance = 1e-7;
  /// The first step h of the differences, times max(1, |x|). Where they disagree with the gradient,
  /// h/10 and h/100 follow.
  double step = 1e-3;
  /// At a kink, the mean of the slopes on both sides is right, as for minimum(a, b) where a = b.
  bool mean_at_kinks = false;
  uint64_t seed = 1;  ///< of the cotangents
};

/// A function of tensors with one result.
using TensorFunction = std::function<Tensor(const std::vector<Tensor>& inputs)>;
/// A function of tensors with several results.
using TensorsFunction = std::function<std::vector<Tensor>(const std::vector<Tensor>& inputs)>;

/// Throws Error when a gradient of `f` at `inputs` disagrees with five-point differences of f, which err
/// by h⁴/30·f⁽⁵⁾: f maps tensors of any shape to tensors of any shape, all of f64, each on any device.
/// The message shows the first wrong element and the worst, and what usually causes such errors. A
/// gradient of NaN is wrong. An element within h/100 of a kink of f (where the slopes on both sides
/// differ) is named instead.
///
/// f is called some 4 times per element and must always give the same result. It may use the inputs from
/// its argument or from its captures: their memory is changed in place, and afterwards they are as before,
/// with their grad(). Other leaves that f uses get gradients as in any backward. Throws Error, with the
/// remedy, for inputs or results that are not f64, for inputs that share memory, and when f does not
/// repeat its result.
void gradcheck(const TensorFunction& f, const std::vector<Tensor>& inputs,
               const GradcheckOptions& options = {});
/// The same for a function with several results.
void gradcheck(const TensorsFunction& f, const std::vector<Tensor>& inputs,
               const GradcheckOptions& options = {});

/// What gradcheck would throw because a gradient is wrong or cannot be checked; empty if all are right.
/// Throws as gradcheck does when it is used wrongly.
std::string gradient_fault(const TensorFunction& f, const std::vector<Tensor>& inputs,
                           const GradcheckOptions& options = {});
/// The same for a function with several results.
std::string gradient_fault(const TensorsFunction& f, const std::vector<Tensor>& inputs,
                           const GradcheckOptions& options = {});

/// The cotangents: random, f64 on the CPU, from ±[0.5, 1.5), so that no result weighs nothing. They are whole
/// f32 numbers: a check in f32 can use the same.
Tensor random_cotangent(const Shape& shape, RngKey key);

}  // namespace fade
