// Which library computes a product on the CUDA device, and what it leaves to its caller.
#include <boost/test/unit_test.hpp>

#include "engine/cuda/blas_libraries.h"
#include "tests/engine/example_product.h"

namespace fade::test {
namespace {

void takes(const BlasProduct& p, bool lt, bool epilogue, ProductPrecision precision = ProductPrecision::f32) {
  const ProductPath path = product_path(p, precision);
  BOOST_TEST(path.lt == lt);
  BOOST_TEST(path.epilogue == epilogue);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(products)

BOOST_AUTO_TEST_CASE(tensor_cores_are_for_bf16_and_tf32) {
  takes(example_product(), true, true);
  BlasProduct p = changed_product([](BlasProduct& x) { x.factors = x.result = DType::f32; });
  takes(p, false, false);
  takes(p, true, true, ProductPrecision::tf32);
  p.factors = p.result = DType::f64;
  takes(p, false, false, ProductPrecision::tf32);
  takes(changed_product([](BlasProduct& x) { x.result = DType::f32; }), true, true);
}

BOOST_AUTO_TEST_CASE(what_is_not_aligned_goes_to_cublas) {
  takes(changed_product([](BlasProduct& x) { advance(x.a, 8); }), false, false);
  takes(changed_product([](BlasProduct& x) { advance(x.b, 2); }), false, false);
  takes(changed_product([](BlasProduct& x) { advance(x.c, 8); }), false, false);
  takes(changed_product([](BlasProduct& x) { advance(x.c, 16); }), true, true);
  takes(changed_product([](BlasProduct& x) { x.ld_a = 68; }), false, false);
  takes(changed_product([](BlasProduct& x) { x.ld_b = 65; }), false, false);
  takes(changed_product([](BlasProduct& x) { x.ld_c = 36; }), false, false);
  takes(changed_product([](BlasProduct& x) { x.step_b = 4; }), true, true);  // of one matrix: not used
  const auto batch = [](BlasProduct& x) {
    x.bias = nullptr;
    x.relu = false;
    x.batch = 2;
  };
  takes(changed_product(batch), true, true);
  takes(changed_product([&](BlasProduct& x) { batch(x), x.step_b = 4; }), false, true);
}

BOOST_AUTO_TEST_CASE(an_epilogue_is_for_one_new_matrix) {
  takes(changed_product([](BlasProduct& x) { x.batch = 2; }), true, false);
  takes(changed_product([](BlasProduct& x) { x.add = true; }), true, false);
  takes(changed_product([](BlasProduct& x) { advance(x.bias, 8); }), true, false);
  takes(changed_product([](BlasProduct& x) { x.bias = nullptr; }), true, true);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
