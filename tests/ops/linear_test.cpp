// The linear layer against the operations that it joins, and in mixed precision.
#include "ops/linear/linear.h"

#include <boost/test/unit_test.hpp>
#include <functional>

#include "engine/tape.h"
#include "ops/dropout/dropout.h"
#include "ops/elementwise/elementwise.h"
#include "ops/linear_rows/linear_rows.h"
#include "ops/matmul/matmul.h"
#include "tests/ops/op_checks.h"
#include "tests/support.h"
#include "tests/threads.h"

namespace fade::test {
namespace {

using Function = std::function<Tensor(const Tensors& inputs)>;

constexpr LinearOptions kAll{.relu = true, .dropout = {0.3, {.seed = 3, .stream = 8}}};

Tensor composed(const Tensors& in) {
  return dropout(relu(matmul(in[0], in[1], {.b = true}) + in[2]), kAll.dropout);
}
Tensor fused(const Tensors& in) { return linear(in[0], in[1], in[2], kAll); }

Values doubles(const Tensor& x) { return x.to(DType::f64).to_vector<double>(); }

// Numbers of bf16, as f64 on the CPU.
Tensors random(const std::vector<Shape>& shapes) {
  Tensors inputs;
  for (const Shape& shape : shapes) {
    Values values(static_cast<size_t>(shape.numel()));
    for (size_t i = 0; i < values.size(); ++i) values[i] = 2 * uniform_f64({7, inputs.size()}, i) - 1;
    inputs.push_back(Tensor::from(values, shape).to(DType::bf16).to(DType::f64));
  }
  return inputs;
}

// An activation of bf16, as an operation of a model makes it: leaves are f32.
constexpr OpDef kToBf16{"to_bf16", [](BackwardCtx& ctx) { ctx.add(0, ctx.grad().to(DType::f32)); }};
Tensor to_bf16(const Tensor& x) {
  Tensor y = x.to(DType::bf16);
  record(kToBf16, y, {&x}, {});
  return y;
}

/// The result, and the gradients of Σ result·(numbers of bf16).
std::vector<Tensor> results(const Function& f, const Tensors& inputs) {
  for (Tensor x : inputs) x.set_requires_grad();
  const Recording on;
  const Tensor y = f(inputs);
  const Tensor g = random({Shape{1}, y.shape()})[1];
  backward(y, g.to(y.dtype()).to(y.device()));
  std::vector<Tensor> all{y};
  for (const Tensor& x : inputs) all.push_back(x.grad());
  return all;
}

Tensors copies(const Tensors& inputs, DType dtype, Device device) {
  Tensors all;
  for (const Tensor& x : inputs) all.push_back(x.to(dtype).to(device).clone());
  return all;
}

boost::test_tools::assertion_result device_is_here(boost::unit_test::test_unit_id) {
  return has_backend(Device::cuda);
}

/// The greatest error of a result of bf16, or of f32 from factors of bf16, relative to the same sum of
/// absolute values: one rounding (2^-9) of each of the gradients that are multiplied, and one of the result,
/// or two where dropout follows. Sums of some hundred numbers in f32 add less than 2^-14.
constexpr double kError = 0x1p-9 * 3 + 0x1p-14;

// `f` on the device, of f32 leaves, of which the first are activations of bf16, against f64 on the CPU.
void check_bf16(const Function& f, const Tensors& inputs, size_t activations) {
  const auto mixed = [&](Tensors in) {
    for (size_t i = 0; i < activations; ++i) in[i] = to_bf16(in[i]);
    return f(in);
  };
  const auto expected = results(f, copies(inputs, DType::f64, Device::cpu));
  const auto found = results(mixed, copies(inputs, DType::f32, Device::cuda));
  for (size_t i = 0; i < found.size(); ++i) {
    const Values want = doubles(expected[i]), got = doubles(found[i]);
    BOOST_REQUIRE_EQUAL(want.size(), got.size());
    double largest = 0;
    for (const double v : want) largest = std::max(largest, std::abs(v));
    // Numbers in [−1, 1): a sum of absolute values is at most some times the largest sum.
    BOOST_TEST(largest_difference(want, got) <= 4 * kError * largest, "result " << i);
    BOOST_TEST(largest > 0.5);
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(linear_test)

BOOST_AUTO_TEST_CASE(joins_four_operations) {
  const Tensors inputs = random({{2, 33, 20}, {24, 20}, {24}});
  for (const Device device : available_devices()) {
    const auto want = results(composed, copies(inputs, DType::f64, device)),
               got = results(fused, copies(inputs, DType::f64, device));
    for (size_t i = 0; i < want.size(); ++i)
      BOOST_TEST(largest_difference(doubles(want[i]), doubles(got[i])) < 1e-13, name_of(device) << ' ' << i);
  }
}

// On the CPU they are the same bits in f32: a model trains as it did with the operations one by one. Three threads
// share the product by rows and by columns, and one of few rows by columns.
BOOST_AUTO_TEST_CASE(joins_them_to_the_bit) {
  const Threads on(3);
  for (const auto& [rows, I, O] :
       {std::array<int64_t, 3>{33, 20, 24}, {131, 50, 45}, {45, 50, 131}, {2, 256, 131}, {3, 0, 5}}) {
    const Tensors inputs = random({{2, rows, I}, {O, I}, {O}});
    const auto want = results(composed, copies(inputs, DType::f32, Device::cpu)),
               got = results(fused, copies(inputs, DType::f32, Device::cpu));
    for (size_t i = 0; i < want.size(); ++i)
      BOOST_TEST((doubles(want[i]) == doubles(got[i])), rows << 'x' << I << " to " << O << ": " << i);
  }
}

BOOST_AUTO_TEST_CASE(refuses_other_types) {
  const auto ones = [](const Shape& shape, DType dtype) { return Tensor::full(shape, 1, dtype); };
  BOOST_TEST(error_of([&] {
               linear(ones({3, 2}, DType::f64), ones({5, 2}, DType::f32));
             }) ==
             "linear: weight is a tensor of f32, activations of f64 need f64 (convert with .to(DType::f64))");
  BOOST_TEST(
      error_of([&] {
        linear(ones({3, 2}, DType::bf16), ones({5, 2}, DType::bf16));
      }) ==
      "linear: weight is a tensor of bf16, activations of bf16 need f32 (convert with .to(DType::f32))");
  BOOST_TEST(error_of([&] {
               linear(ones({3, 2}, DType::bf16), ones({5, 2}, DType::f32));
             }) == "linear: got a tensor of bf16, needs f32 or f64 (convert with .to(DType::f32))");
  BOOST_TEST(error_of([&] {
               linear(ones({3, 2}, DType::f32), ones({5, 3}, DType::f32));
             }) == "linear: x [3,2] with weight [5,3]: the last size of x is not the weight's");
}

// Sizes that cuBLASLt takes (rows of 16 bytes), and sizes that it leaves to cuBLAS.
BOOST_AUTO_TEST_CASE(bf16_is_near_f64, *boost::unit_test::precondition(&device_is_here)) {
  for (const auto& [rows, I, O] : {std::array<int64_t, 3>{150, 40, 24}, {37, 7, 5}}) {
    BOOST_TEST_CONTEXT(rows << 'x' << I << " to " << O) {
      const Tensors inputs = random({{rows, I}, {O, I}, {O}});
      check_bf16(fused, inputs, 1);
      check_bf16([](const Tensors& in) { return linear(in[0], in[1], in[2]); }, inputs, 1);
      check_bf16([](const Tensors& in) { return linear(in[0], in[1], in[2], {.f32_result = true}); }, inputs,
                 1);
      check_bf16([](const Tensors& in) { return linear_rows(in[0], in[1], in[2]); },
                 random({{rows, I}, {rows + 3, I}, {O, I}}), 2);
      check_bf16([](const Tensors& in) { return matmul(in[0], in[1], {.b = true}); },
                 random({{rows, I}, {O, I}}), 2);
      check_bf16([](const Tensors& in) { return dropout(in[0], kAll.dropout); }, random({{rows, I}}), 1);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
