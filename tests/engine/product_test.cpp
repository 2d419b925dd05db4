// Which library computes a product on the CUDA device, and what it leaves to its caller.
#include <boost/test/unit_test.hpp>

#include "engine/cuda/blas_libraries.h"

namespace fade::test {
namespace {

// 32 bf16 rows of 64 times 48 columns: nothing in the way of cuBLASLt. No memory is read.
BlasProduct example() {
  const auto at = [](uintptr_t address) { return reinterpret_cast<void*>(address); };
  return {.factors = DType::bf16,
          .result = DType::bf16,
          .transpose_a = true,
          .transpose_b = false,
          .m = 32,
          .n = 48,
          .k = 64,
          .a = at(0x1000),
          .ld_a = 64,
          .step_a = 64 * 32,
          .b = at(0x2000),
          .ld_b = 64,
          .step_b = 64 * 48,
          .add = false,
          .c = at(0x4000),
          .ld_c = 32,
          .step_c = 32 * 48,
          .batch = 1,
          .bias = at(0x8000),
          .relu = true};
}

void takes(const BlasProduct& p, bool lt, bool epilogue, ProductPrecision precision = ProductPrecision::f32) {
  const ProductPath path = product_path(p, precision);
  BOOST_TEST(path.lt == lt);
  BOOST_TEST(path.epilogue == epilogue);
}

template <class Change>
BlasProduct changed(const Change& change) {
  BlasProduct p = example();
  change(p);
  return p;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(products)

BOOST_AUTO_TEST_CASE(tensor_cores_are_for_bf16_and_tf32) {
  takes(example(), true, true);
  BlasProduct p = changed([](BlasProduct& x) { x.factors = x.result = DType::f32; });
  takes(p, false, false);
  takes(p, true, true, ProductPrecision::tf32);
  p.factors = p.result = DType::f64;
  takes(p, false, false, ProductPrecision::tf32);
  takes(changed([](BlasProduct& x) { x.result = DType::f32; }), true, true);
}

BOOST_AUTO_TEST_CASE(what_is_not_aligned_goes_to_cublas) {
  const auto next = [](auto*& p, int bytes) {
    p = reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(p) + bytes);
  };
  takes(changed([&](BlasProduct& x) { next(x.a, 8); }), false, false);
  takes(changed([&](BlasProduct& x) { next(x.b, 2); }), false, false);
  takes(changed([&](BlasProduct& x) { next(x.c, 8); }), false, false);
  takes(changed([&](BlasProduct& x) { next(x.c, 16); }), true, true);
  takes(changed([](BlasProduct& x) { x.ld_a = 68; }), false, false);
  takes(changed([](BlasProduct& x) { x.ld_b = 65; }), false, false);
  takes(changed([](BlasProduct& x) { x.ld_c = 36; }), false, false);
  takes(changed([](BlasProduct& x) { x.step_b = 4; }), true, true);  // of one matrix: not used
  const auto batch = [](BlasProduct& x) {
    x.bias = nullptr;
    x.relu = false;
    x.batch = 2;
  };
  takes(changed(batch), true, true);
  takes(changed([&](BlasProduct& x) { batch(x), x.step_b = 4; }), false, true);
}

BOOST_AUTO_TEST_CASE(an_epilogue_is_for_one_new_matrix) {
  takes(changed([](BlasProduct& x) { x.batch = 2; }), true, false);
  takes(changed([](BlasProduct& x) { x.add = true; }), true, false);
  takes(changed([](BlasProduct& x) { x.bias = static_cast<const char*>(x.bias) + 8; }), true, false);
  takes(changed([](BlasProduct& x) { x.bias = nullptr; }), true, true);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
