// Places of the largest and the smallest elements, on every device.
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "engine/tape.h"
#include "ops/reduce/reduce.h"
#include "tests/ops/op_checks.h"
#include "tests/support.h"

namespace fade::test {
namespace {

using Ints = std::vector<int32_t>;

// [2, 3, 2]: lines along the middle dimension are 4 1 4, 2 2 0, −1 −3 −3 and 5 7 6.
Tensor example(Device d) {
  return Tensor::from(std::vector<float>{4, 2, 1, 2, 4, 0, -1, 5, -3, 7, -3, 6}, {2, 3, 2}).to(d);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(argmax_test)

BOOST_AUTO_TEST_CASE(the_first_of_equal_elements_is_named) {
  for (const Device d : available_devices()) {
    const Tensor x = example(d), largest = argmax(x, 1), smallest = argmin(x, -2, true);
    BOOST_TEST((largest.shape() == Shape{2, 2}));
    BOOST_TEST((smallest.shape() == Shape{2, 1, 2}));
    BOOST_TEST(largest.to_vector<int32_t>() == (Ints{0, 0, 0, 1}), boost::test_tools::per_element());
    BOOST_TEST(smallest.to_vector<int32_t>() == (Ints{1, 2, 1, 0}), boost::test_tools::per_element());
    BOOST_TEST(argmax(x, 2).to_vector<int32_t>() == (Ints{0, 1, 0, 1, 1, 1}),
               boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(a_nan_is_the_largest_and_the_smallest) {
  for (const Device d : available_devices()) {
    const Tensor x = Tensor::from(std::vector<double>{3, NAN, 9, NAN}, {4}).to(d);
    BOOST_TEST(argmax(x, 0).to_vector<int32_t>() == Ints{1}, boost::test_tools::per_element());
    BOOST_TEST(argmin(x, 0).to_vector<int32_t>() == Ints{1}, boost::test_tools::per_element());
    BOOST_TEST(std::isnan(min(x, 0).item()));
    BOOST_TEST(std::isnan(max(x, 0).item()));
  }
}

BOOST_AUTO_TEST_CASE(nothing_is_recorded) {
  for (const Device d : available_devices()) {
    const Tensor x = example(d).set_requires_grad();
    Tape tape;
    const Recording on(tape);
    argmax(x, 0);
    argmin(x, 0);
    BOOST_TEST(tape.size() == 0u);
  }
}

BOOST_AUTO_TEST_CASE(a_line_of_no_elements_is_refused) {
  const Tensor x = Tensor::zeros({3, 0});
  BOOST_TEST(error_of([&] { argmax(x, 1); }) ==
             "argmax: [3,0] has no elements to reduce over (reduce over another dimension)");
  BOOST_TEST(error_of([&] { argmin(x, 1); }) ==
             "argmin: [3,0] has no elements to reduce over (reduce over another dimension)");
}

// Their places would not fit i32. (No lines: such a tensor takes no memory.)
BOOST_AUTO_TEST_CASE(a_line_of_too_many_elements_is_refused) {
  const Tensor x = Tensor::zeros({0, int64_t{1} << 31});
  for (const auto f : {argmax, argmin, max, min})
    BOOST_TEST(contains(error_of([&] { f(x, 1, false); }),
                        ": dimension 1 of [0,2147483648] has 2147483648 elements, places are counted up to "
                        "2147483647 (reduce parts of it: split)"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
