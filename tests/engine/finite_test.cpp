// Infinities and NaNs: the first tensor that holds one is found and named.
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "engine/finite.h"
#include "ops/elementwise/elementwise.h"
#include "ops/reduce/reduce.h"
#include "tests/support.h"

namespace fade {
namespace {

using test::contains;

// What a FiniteCheck finds in y = f(x), and on the way back, for a leaf x called "x".
template <class F>
std::string finding(const std::vector<float>& values, const F& f) {
  Tensor x = Tensor::from(values, {static_cast<int64_t>(values.size())}).set_requires_grad();
  Tape tape;
  FiniteCheck check([&](const Tensor& t) { return t.impl() == x.impl() ? "x" : ""; });
  const Observing observing(tape, check);
  const Recording on(tape);
  backward(sum(f(x)));
  return check.finding();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(finite)

BOOST_AUTO_TEST_CASE(tensors_are_described) {
  BOOST_TEST(not_finite(Tensor::from(std::vector<float>{1, 2, 3e38f}, {3})) == "");
  BOOST_TEST(not_finite(Tensor::from(std::vector<int32_t>{1, 2}, {2})) == "");
  BOOST_TEST(not_finite(Tensor::zeros({0})) == "");
  BOOST_TEST(not_finite(Tensor::from(std::vector<double>{1, -INFINITY, NAN}, {3})) ==
             "-inf at element 1; 2 of 3 elements are not finite");
}

BOOST_AUTO_TEST_CASE(the_first_result_that_went_wrong_is_named) {
  const auto chain = [](const Tensor& x) { return exp(x) * 0.5; };
  BOOST_TEST(finding({1, 2, 3}, chain) == "");
  BOOST_TEST(finding({1, 1000, 3}, chain) ==
             "exp [3] (node 0 of the tape, at or after x): inf at element 1; 1 of 3 elements are not finite");
}

BOOST_AUTO_TEST_CASE(an_input_that_is_wrong_from_the_start_is_named_instead) {
  const auto twice = [](const Tensor& x) { return (x * 2) * 3; };
  BOOST_TEST(contains(finding({1, NAN}, twice),
                      "x [2]: nan at element 1; 1 of 2 elements are not finite: as input 0 of"));
  const Tensor constant = Tensor::from(std::vector<float>{1, INFINITY}, {2});
  BOOST_TEST(contains(
      finding({1, 2}, [&](const Tensor& x) { return x * 2 + constant; }),
      "a constant [2]: inf at element 1; 1 of 2 elements are not finite: as input 1 of add (node 1"));
}

BOOST_AUTO_TEST_CASE(the_first_gradient_that_went_wrong_is_named) {
  // d log x / dx = 1/x overflows where log x does not.
  const std::string found = finding({1, 1e-40f}, [](const Tensor& x) { return log(x * 1) * 2; });
  BOOST_TEST(
      contains(found, "gradient [2] of input 0 of log (node 1 of the tape, at or after x): inf at element 1"),
      found);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
