// Operations over rows of bf16 with parameters of f32, on CUDA: against f64 on the CPU, of the same numbers.
#include <boost/test/unit_test.hpp>
#include <functional>

#include "engine/tape.h"
#include "ops/elementwise/elementwise.h"
#include "ops/layer_norm/layer_norm.h"
#include "ops/rms_norm/rms_norm.h"
#include "ops/row_dots/row_dots.h"
#include "tests/support.h"

namespace fade::test {
namespace {

using Tensors = std::vector<Tensor>;

// Numbers that are bf16, in f64 on the CPU.
Tensor numbers(const Shape& shape, double first) {
  std::vector<double> x;
  for (int64_t i = 0; i < shape.numel(); ++i) x.push_back(2 * std::sin(first + 1.7 * static_cast<double>(i)));
  return Tensor::from(x, shape).to(DType::bf16).to(DType::f64);
}

std::vector<double> values(const Tensor& x) { return x.to(DType::f64).to_vector<double>(); }

// An activation of bf16, as an operation of a model makes it: leaves are f32.
constexpr OpDef kToBf16{"to_bf16", [](BackwardCtx& ctx) { ctx.add(0, ctx.grad().to(DType::f32)); }};
Tensor to_bf16(const Tensor& x) {
  Tensor y = x.to(DType::bf16);
  record(kToBf16, y, {&x}, {});
  return y;
}

using Function = std::function<Tensor(const Tensors&)>;

// The result and the gradients of the inputs. On the device, the first `rows` inputs are bf16, the others f32.
std::vector<std::vector<double>> results(const Function& f, const Tensors& inputs, size_t rows,
                                         bool on_device) {
  Tensors leaves, in;
  const Recording on;
  for (const Tensor& x : inputs) {
    leaves.push_back(on_device ? x.to(DType::f32).to(Device::cuda) : x.clone());
    leaves.back().set_requires_grad();
    in.push_back(on_device && in.size() < rows ? to_bf16(leaves.back()) : leaves.back());
  }
  const Tensor y = f(in);
  backward(y, numbers(y.shape(), 11).to(y.dtype()).to(y.device()));
  std::vector<std::vector<double>> all{values(y)};
  for (const Tensor& leaf : leaves) all.push_back(values(leaf.grad()));
  return all;
}

// 2^-8: a result is rounded once to bf16, by 2^-9 of itself at most. 1e-4: sums of up to 200 numbers of f32.
void check(const Function& f, const Tensors& inputs, size_t rows, const Function& exact) {
  if (!has_backend(Device::cuda)) return;
  const auto found = results(f, inputs, rows, true), expected = results(exact, inputs, rows, false);
  for (size_t k = 0; k < found.size(); ++k)
    for (size_t i = 0; i < found[k].size(); ++i)
      BOOST_TEST(std::abs(found[k][i] - expected[k][i]) <= 1e-4 + 0x1p-8 * std::abs(expected[k][i]),
                 "array " << k << ", element " << i << ": " << found[k][i] << ", not " << expected[k][i]);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(rows_of_bf16)

BOOST_AUTO_TEST_CASE(of_layer_norm) {
  const auto norm = [](const Tensors& in) { return layer_norm(in[0], in[1], in[2]); };
  for (const int64_t width : {5, 64, 1032})
    check(norm, {numbers({20, width}, 0), numbers({width}, 5), numbers({width}, 7)}, 1, norm);
}

// The sum is rounded to bf16, and statistics are of the rounded sum.
BOOST_AUTO_TEST_CASE(of_add_layer_norm) {
  for (const int64_t width : {5, 64, 1032}) {
    const Tensor x = numbers({3, width}, 0), residual = numbers({3, width}, 3), sum = x + residual;
    const Tensor rounding = sum.to(DType::bf16).to(DType::f64) - sum;
    check([](const Tensors& in) { return add_layer_norm(in[0], in[1], in[2], in[3]); },
          {x, residual, numbers({width}, 5), numbers({width}, 7)}, 2,
          [=](const Tensors& in) { return layer_norm(in[0] + in[1] + rounding, in[2], in[3]); });
  }
}

BOOST_AUTO_TEST_CASE(of_head_norm) {
  const auto norm = [](const Tensors& in) { return head_norm(in[0], in[1], 2); };
  for (const int64_t size : {5, 64}) check(norm, {numbers({20, 3 * size}, 0), numbers({size}, 5)}, 1, norm);
}

BOOST_AUTO_TEST_CASE(of_row_dots) {
  const auto dots = [](const Tensors& in) { return row_dots(in[0], in[1], in[2]); };
  for (const int64_t width : {5, 64, 1032})
    check(dots, {numbers({3, width}, 0), numbers({70, width}, 2), numbers({1, width}, 5)}, 2, dots);
}

BOOST_AUTO_TEST_CASE(parameters_of_bf16_are_refused) {
  const Tensor x = numbers({3, 5}, 0).to(DType::bf16), w = numbers({5}, 1).to(DType::bf16);
  BOOST_TEST(contains(error_of([&] { layer_norm(x, w, w); }), "activations of bf16 need f32"));
  BOOST_TEST(contains(error_of([&] { row_dots(x, x, w.view({1, 5})); }), "activations of bf16 need f32"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
