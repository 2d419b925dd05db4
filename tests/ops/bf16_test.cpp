// Operations on bf16, which are for CUDA: those that move rows are exact, sums are rounded once.
#include <boost/test/unit_test.hpp>

#include "engine/tape.h"
#include "ops/cast/cast.h"
#include "ops/elementwise/elementwise.h"
#include "ops/gather_rows/gather_rows.h"
#include "ops/layout/layout.h"
#include "tests/ops/op_case.h"
#include "tests/support.h"

namespace fade {
namespace {

// Different numbers that are bf16, on the device.
Tensor numbers(const Shape& shape, DType t, double first = 0.25) {
  std::vector<float> values(static_cast<size_t>(shape.numel()));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(first + static_cast<double>(i % 251));
  return Tensor::from(values, shape).to(Device::cuda).to(DType::bf16).to(t);
}

std::vector<float> values(const Tensor& x) { return x.to(DType::f32).to_vector<float>(); }

}  // namespace

BOOST_AUTO_TEST_SUITE(bf16_operations)

// Rows of 3, 8 and 20 elements: packs of 16 bytes or single elements; 20 × 12 × 40 is transposed in tiles.
BOOST_AUTO_TEST_CASE(elements_are_moved_as_they_are) {
  if (!has_backend(Device::cuda)) return;
  const auto moved = [](DType t) {
    std::vector<std::vector<float>> all;
    for (const int64_t width : {3, 8, 20}) {
      const Tensor top = numbers({5, width}, t), bottom = numbers({4, width}, t, -100);
      const Tensor index = Tensor::from(std::vector<int32_t>{8, 0, 4, 5, 5}, {5}).to(Device::cuda);
      all.push_back(values(gather_rows_of(top, bottom, index)));
      all.push_back(values(concat(top, bottom, 0)));
      all.push_back(values(slice(top, 1, 1, 3)));
    }
    all.push_back(values(permute(numbers({20, 12, 40}, t), {2, 1, 0})));
    return all;
  };
  BOOST_TEST((moved(DType::bf16) == moved(DType::f32)));
}

// 1 + 2^-7 and 2^-8 are bf16; their sum is halfway between two neighbours, and rounded to the even one.
BOOST_AUTO_TEST_CASE(sums_are_rounded_once) {
  if (!has_backend(Device::cuda)) return;
  const auto of = [](double x) { return Tensor::full({9}, x, DType::bf16, Device::cuda); };
  const Tensor y = add(of(1 + 0x1p-7), of(0x1p-8));
  BOOST_TEST((y.dtype() == DType::bf16));
  BOOST_TEST((values(y) == std::vector<float>(9, 1 + 0x1p-6f)));
}

// x is used three times: the tape adds gradients of bf16, and casts their sum to f32 for the leaf.
BOOST_AUTO_TEST_CASE(gradients_have_the_type_of_what_they_are_of) {
  if (!has_backend(Device::cuda)) return;
  Tensor leaf = numbers({2, 4}, DType::f32);
  leaf.set_requires_grad();
  const Recording on;
  const Tensor x = cast(leaf, DType::bf16);
  const Tensor y = cast(add(add(x, x), x), DType::f32);
  backward(y, Tensor::full({2, 4}, 1 + 0x1p-7, DType::f32, Device::cuda));
  BOOST_TEST((leaf.grad().dtype() == DType::f32));
  BOOST_TEST((values(leaf.grad()) == std::vector<float>(8, 3 + 0x1p-5f)));
}

BOOST_AUTO_TEST_CASE(other_operations_refuse_it) {
  BOOST_TEST(test::contains(test::error_of([] { exp(Tensor::full({2}, 1, DType::bf16)); }),
                            "exp: got a tensor of bf16, needs f32 or f64 (convert with .to(DType::f32))"));
  BOOST_TEST(
      test::contains(test::error_of([] { add(Tensor::full({2}, 1, DType::bf16), Tensor::full({2}, 1)); }),
                     "add: bf16 [2] with f32 [2]"));
  BOOST_TEST(test::contains(test::error_of([] { cast(Tensor::full({2}, 1), DType::i32); }),
                            "cast: the wanted type is i32, needs f32, f64 or bf16"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
