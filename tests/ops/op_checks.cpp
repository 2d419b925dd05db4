#include "tests/ops/op_checks.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <set>

#include "engine/error.h"
#include "engine/gradcheck.h"
#include "ops/elementwise/elementwise.h"

namespace fade::test {
namespace {

// The reference adds in another order: up to a few hundred roundings of 1e-16 each, of terms around 1.
constexpr double kValueTolerance = 1e-12;
// The differences of gradcheck err by 3e-14·f⁽⁵⁾, and |f⁽⁵⁾| stays below 10⁴ in the ranges used.
constexpr double kGradientTolerance = 1e-9;
// f32 rounds at 6e-8, a few hundred times in a row at most.
constexpr double kF32Tolerance = 2e-5;

Values to_doubles(const Tensor& t) { return t.to(DType::f64).to_vector<double>(); }

Verdict compare(const Values& got, const Values& wanted, double tolerance, const std::string& what) {
  if (got.size() != wanted.size())
    return {false, fmt::format("{}: {} values, wanted {}", what, got.size(), wanted.size())};
  for (size_t i = 0; i < got.size(); ++i)
    // Written so that NaN fails.
    if (!(std::abs(got[i] - wanted[i]) <= tolerance * (1 + std::abs(wanted[i]))))
      return {false, fmt::format("{}: element {} is {:.17g}, wanted {:.17g}", what, i, got[i], wanted[i])};
  return {};
}

Verdict compare_gradients(const Arrays& got, const Arrays& wanted, double tolerance,
                          const std::string& what) {
  for (size_t k = 0; k < got.size(); ++k)
    if (Verdict v = compare(got[k], wanted[k], tolerance, fmt::format("{}, input {}", what, k)); !v.ok)
      return v;
  return {};
}

Values gradient_of(const Tensor& leaf) {
  return leaf.grad() ? to_doubles(leaf.grad()) : Values(static_cast<size_t>(leaf.numel()));
}

Arrays gradients_of(const Tensors& inputs) {
  Arrays all(inputs.size());
  for (size_t k = 0; k < inputs.size(); ++k)
    if (inputs[k].requires_grad()) all[k] = gradient_of(inputs[k]);
  return all;
}

Tensor cotangent_of(const OpCase& c, DType dtype, Device device) {
  return random_cotangent(c.shape, {99, 0}).to(dtype).to(device);
}

// Large cases are slow, and show few things that small ones do not.
bool is_large(const OpCase& c) {
  return std::ranges::any_of(c.inputs, [](const Input& in) { return in.shape.numel() > 200; });
}

// The elements of each input whose gradient is compared with differences: two calls each. FADE_TEST_ELEMENTS
// is an upper limit for tools under which a launch is slow (compute-sanitizer).
int64_t checked_elements(const OpCase& c) {
  const char* const limit = std::getenv("FADE_TEST_ELEMENTS");
  return std::min<int64_t>(is_large(c) ? 12 : 200, limit ? std::atoll(limit) : 200);
}

}  // namespace

std::vector<Device> available_devices() {
  std::vector<Device> devices{Device::cpu};
  if (has_backend(Device::cuda)) devices.push_back(Device::cuda);
  return devices;
}

Arrays tape_gradients(const OpCase& c, Device device, DType dtype, const Tamper& tamper) {
  const Tensors inputs = input_tensors(c, input_values(c), dtype, device);
  Tape tape;
  const Recording on(tape);
  const Tensor y = c.run(inputs);
  if (tamper) tamper(tape, inputs);
  if (tape.size() > 0) tape.backward(y, cotangent_of(c, dtype, device));
  return gradients_of(inputs);
}

Verdict check_values(const OpCase& c, Device device, const Run& run) {
  const NoGrad off;
  const Arrays values = input_values(c);
  const Tensors inputs = input_tensors(c, values, DType::f64, device);
  const Tensor y = run(inputs);
  if (y.shape() != c.shape)
    return {false, fmt::format("shape {}, wanted {}", y.shape().str(), c.shape.str())};
  const Values got = to_doubles(y);
  if (Verdict v = compare(got, c.reference(values), kValueTolerance, "f64 against the reference"); !v.ok)
    return v;
  if (to_doubles(run(inputs)) != got) return {false, "a second run gave other bits"};
  for (size_t k = 0; k < inputs.size(); ++k)
    if (to_doubles(inputs[k]) != values[k]) return {false, fmt::format("input {} was changed", k)};
  return {};
}

Verdict check_gradient(const OpCase& c, Device device, const Tamper& tamper) {
  const Tensors inputs = input_tensors(c, input_values(c), DType::f64, device);
  Tensors differentiable;
  GradcheckOptions options{
      .max_elements = checked_elements(c), .tolerance = kGradientTolerance, .mean_at_kinks = true};
  for (size_t k = 0; k < inputs.size(); ++k) {
    if (c.inputs[k].role != Role::differentiable) continue;
    if (c.inputs[k].zero_gradient) options.zero_gradient.push_back(static_cast<int>(differentiable.size()));
    differentiable.push_back(inputs[k]);
  }
  if (differentiable.empty()) return {};
  const TensorFunction f = [&](const Tensors&) {
    const Tensor y = c.run(inputs);
    if (Tape* const tape = Tape::current(); tape && tamper) tamper(*tape, inputs);
    return y;
  };
  const std::string fault = gradient_fault(f, differentiable, options);
  return {fault.empty(), fault};
}

Verdict check_gradient_alone(const OpCase& c, Device device) {
  const Arrays together = tape_gradients(c, device, DType::f64);
  for (size_t k = 0; k < c.inputs.size(); ++k) {
    if (c.inputs[k].role != Role::differentiable) continue;
    OpCase alone = c;
    for (size_t other = 0; other < c.inputs.size(); ++other)
      if (other != k && alone.inputs[other].role == Role::differentiable)
        alone.inputs[other].role = Role::constant;
    if (tape_gradients(alone, device, DType::f64)[k] != together[k])
      return {false, fmt::format("the gradient of input {} differs when the others are constants", k)};
  }
  return {};
}

Verdict check_gradient_twice(const OpCase& c, Device device) {
  Arrays twice = tape_gradients(c, device, DType::f64);
  for (Values& v : twice)
    for (double& x : v) x *= 2;
  const Tensors inputs = input_tensors(c, input_values(c), DType::f64, device);
  Tape tape;
  const Recording on(tape);
  const Tensor y = add(c.run(inputs), c.run(inputs));
  if (tape.size() > 0) tape.backward(y, cotangent_of(c, DType::f64, device));
  return compare_gradients(gradients_of(inputs), twice, kValueTolerance, "gradient of two uses");
}

Verdict check_f32(const OpCase& c, Device device) {
  const auto values = [&](DType dtype) {
    const NoGrad off;
    const Tensor y = c.run(input_tensors(c, input_values(c), dtype, device));
    if (y.dtype() != dtype)
      fail("{}: a result of {} from inputs of {}", c.name, name_of(y.dtype()), name_of(dtype));
    return to_doubles(y);
  };
  if (Verdict v = compare(values(DType::f32), values(DType::f64), kF32Tolerance, "f32 against f64"); !v.ok)
    return v;
  return compare_gradients(tape_gradients(c, device, DType::f32), tape_gradients(c, device, DType::f64),
                           kF32Tolerance, "f32 gradient against f64");
}

Verdict check_saved_bytes(const OpCase& c, Device device) {
  const Tensors inputs = input_tensors(c, input_values(c), DType::f64, device);
  Tape tape;
  const Recording on(tape);
  const Tensor y = c.run(inputs);
  std::set<const Storage*> seen;
  for (const Tensor& t : inputs) seen.insert(t.impl()->storage.get());
  size_t bytes = 0;
  for (size_t i = 0; i < tape.size(); ++i) {
    const Node& n = tape.node(i);
    for (int k = 0; k < n.saved_count; ++k)
      if (const Tensor& t = n.saved[k].tensor; t && seen.insert(t.impl()->storage.get()).second)
        bytes += t.impl()->storage->bytes;
  }
  if (bytes != static_cast<size_t>(c.saved_bytes))
    return {false, fmt::format("{} bytes are saved for backward, {} declared", bytes, c.saved_bytes)};
  return {};
}

Verdict check_case(const OpCase& c, Device device) {
  const std::function<Verdict()> checks[] = {
      [&] { return check_values(c, device, c.run); },
      [&] { return check_gradient(c, device); },
      [&] { return check_gradient_alone(c, device); },
      [&] { return check_gradient_twice(c, device); },
      [&] { return check_f32(c, device); },
      [&] { return check_saved_bytes(c, device); },
  };
  for (const auto& check : checks)
    if (Verdict v = check(); !v.ok) return v;
  return {};
}

}  // namespace fade::test
