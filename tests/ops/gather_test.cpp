// What gather and scatter_add refuse, besides an index out of range (index_range_test.cpp).
#include "ops/gather/gather.h"

#include <boost/test/unit_test.hpp>

#include "tests/support.h"

namespace fade::test {
namespace {

Tensor ints(const Shape& shape) { return Tensor::zeros(shape, DType::i32); }

}  // namespace

BOOST_AUTO_TEST_SUITE(gather_test)

BOOST_AUTO_TEST_CASE(shapes_and_types_that_do_not_fit_are_refused) {
  const Tensor x = Tensor::zeros({4, 3});
  BOOST_TEST(
      error_of([&] {
        gather(x, 1, ints({2, 3}));
      }) == "gather: x [4,3] and index [2,3] differ in more than dimension 1 (slice x, or repeat the index)");
  BOOST_TEST(error_of([&] { gather(x, 0, ints({2})); }) ==
             "gather: x [4,3] and index [2] differ in more than dimension 0 (slice x, or repeat the index)");
  BOOST_TEST(error_of([&] { gather(x, 0, x); }) ==
             "gather: the index is a tensor of f32, needs i32 (convert with .to(DType::i32))");
  BOOST_TEST(error_of([&] {
               scatter_add(x, 0, ints({5, 3}), x);
             }) == "scatter_add: the source has shape [4,3], needs [5,3]");
  BOOST_TEST(contains(error_of([&] {
                        scatter_add(x, 0, ints({5, 3}), Tensor::zeros({5, 3}, DType::f64));
                      }),
                      "scatter_add: f32 [4,3] with f64 [5,3]: one type is needed"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
