// Errors of the operations that move elements: each names the operation, the shapes and a remedy.
#include "ops/layout/layout.h"

#include <array>
#include <boost/test/unit_test.hpp>

#include "tests/support.h"

namespace fade::test {

BOOST_AUTO_TEST_SUITE(layout_errors)

BOOST_AUTO_TEST_CASE(wrong_shapes_are_named) {
  const Tensor x = Tensor::zeros({2, 3}), y = Tensor::zeros({2, 4});
  BOOST_TEST(error_of([&] { reshape(x, Shape{5}); }) ==
             "reshape: cannot reshape [2,3] (6 elements) to [5] (5 elements)");
  BOOST_TEST(error_of([&] { unsqueeze(x, 3); }) ==
             "unsqueeze: a new dimension 3 of [2,3] (allowed: -3 to 2)");
  BOOST_TEST(error_of([&] { squeeze(x, 1); }) ==
             "squeeze: dimension 1 of [2,3] has size 3, needs 1 (take one element of it with slice)");
  for (const auto& wrong : {std::array{1, 1}, std::array{0, 2}, std::array{-1, 1}, std::array{-3, 1}})
    BOOST_TEST(error_of([&] {
                 permute(x, {wrong[0], wrong[1]});
               }) == fmt::format("permute: order [{},{}] does not name each dimension of [2,3] once",
                                 wrong[0], wrong[1]));
  BOOST_TEST(error_of([&] {
               broadcast_to(x, {3, 2});
             }) ==
             "broadcast_to: [2,3] does not broadcast to [3,2]: from the last dimension on, its sizes must be "
             "equal or 1 (add dimensions of size 1 with unsqueeze)");
  BOOST_TEST(error_of([&] {
               split(x, {1, 1}, 1);
             }) == "split: sizes [1,1] do not add up to 3, the size of dimension 1 of [2,3]");
  BOOST_TEST(error_of([&] {
               split(x, {4, -1}, 1);
             }) == "split: sizes [4,-1] do not add up to 3, the size of dimension 1 of [2,3]");
  BOOST_TEST(error_of([&] { split(x, {2}, 1); }) ==
             "split: sizes [2] do not add up to 3, the size of dimension 1 of [2,3]");
  BOOST_TEST(error_of([&] { split(x, 0, 1); }) == "split: found parts of size 0, needs at least 1");
  BOOST_TEST(error_of([&] {
               concat({x, y}, 0);
             }) == "concat: [2,3] and [2,4] differ in more than dimension 0 (reshape or slice one)");
  BOOST_TEST(error_of([&] {
               concat({x, x, x, x, x, y}, 0);
             }) == "concat: [2,3] and [2,4] differ in more than dimension 0 (reshape or slice one)");
  BOOST_TEST(error_of([&] { concat({}, 0); }) == "concat: there are no parts (give at least one tensor)");
  BOOST_TEST(
      error_of([&] {
        stack({x, y}, 0);
      }) ==
      "stack: [2,3] and [2,4] differ (reshape or slice one; concat joins along a dimension that is there)");
  BOOST_TEST(error_of([&] { stack({x, x}, 3); }) == "stack: a new dimension 3 of [2,3] (allowed: -3 to 2)");
  BOOST_TEST(error_of([&] {
               stack({x, x.to(DType::f64)}, 0);
             }) == "stack: f32 [2,3] with f64 [2,3]: one type is needed (convert with .to(DType::f32))");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
