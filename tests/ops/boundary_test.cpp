// Gradients where a derivative jumps, which finite differences
// cannot check: the side that each formula chooses.
#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "engine/tape.h"
#include "ops/dropout/dropout.h"
#include "ops/elementwise/elementwise.h"
#include "ops/expire_mask/expire_mask.h"
#include "ops/reduce/reduce.h"
#include "ops/span_loss/span_loss.h"

namespace fade {
namespace {

using Values = std::vector<double>;

// d(Σ f(x))/dx.
template <class F>
Values gradient(const Values& values, const Shape& shape, const F& f) {
  Tensor x = Tensor::from(values, shape);
  x.set_requires_grad();
  const Recording on;
  backward(sum(f(x)));
  return x.grad().to_vector<double>();
}

constexpr auto elementwise = boost::test_tools::per_element();

}  // namespace

BOOST_AUTO_TEST_SUITE(boundary)

BOOST_AUTO_TEST_CASE(clamp_passes_at_both_ends) {
  const auto g = gradient({-0.1, 0, 0.5, 1, 1.1}, {5}, [](const Tensor& x) { return clamp(x, 0, 1); });
  BOOST_TEST(g == (Values{0, 1, 1, 1, 0}), elementwise);
}

BOOST_AUTO_TEST_CASE(relu_is_flat_at_zero) {
  const auto g = gradient({-1, 0, 1}, {3}, [](const Tensor& x) { return relu(x); });
  BOOST_TEST(g == (Values{0, 0, 1}), elementwise);
}

BOOST_AUTO_TEST_CASE(max_takes_the_first_of_equals) {
  const auto g = gradient({1, 3, 3, 2, 2, 2}, {2, 3}, [](const Tensor& x) { return max(x, 1); });
  BOOST_TEST(g == (Values{0, 1, 0, 1, 0, 0}), elementwise);
}

// R = 4, one query at distance 5: r = e − 5 is −5, −4 (m = 0), −1, 0 (m = 1) and 1.
BOOST_AUTO_TEST_CASE(expire_mask_passes_at_both_ends_of_the_ramp) {
  const Tensor age = Tensor::from(std::vector<int32_t>(5, 5), {1, 5});
  const Values spans{0, 1, 4, 5, 6};
  const auto mask = [&](const Tensor& e) { return expire_mask(e, age, 1, 4); };
  BOOST_TEST(mask(Tensor::from(spans, {1, 5})).to_vector<double>() == (Values{0, 0, 0.75, 1, 1}),
             elementwise);
  BOOST_TEST(gradient(spans, {1, 5}, mask) == (Values{0, 0.25, 0.25, 0.25, 0}), elementwise);
}

BOOST_AUTO_TEST_CASE(expire_mask_is_strictly_causal) {
  // Row 0 is the block's first position: query 0 is at distance 0, query 1 at distance 1.
  const Tensor age = Tensor::from(std::vector<int32_t>{0}, {1, 1});
  const Tensor m = expire_mask(Tensor::full({1, 1}, 100, DType::f64), age, 2, 4);
  BOOST_TEST(m.to_vector<double>() == (Values{0, 1}), elementwise);
}

// Only rows with 0 < m < 1 count: the ends of the ramp do not.
BOOST_AUTO_TEST_CASE(span_loss_leaves_out_the_ends_of_the_ramp) {
  const Tensor age = Tensor::from(std::vector<int32_t>(5, 5), {1, 5});
  const Values spans{0, 1, 4, 5, 6};
  const auto loss = [&](const Tensor& e) { return span_loss(e, age, 1, 4, 4.0); };
  BOOST_TEST(loss(Tensor::from(spans, {1, 5})).item() == -1.0);
  BOOST_TEST(gradient(spans, {1, 5}, loss) == (Values{0, 0, 1, 0, 0}), elementwise);
}

BOOST_AUTO_TEST_CASE(dropout_of_nothing_is_the_tensor_itself) {
  const Tensor x = Tensor::full({3}, 1);
  BOOST_TEST(dropout(x, {0, {1, 0}}).impl() == x.impl());
}

// The smallest p that is not 0 drops one element in 2^16, the largest keeps one in 2^16; the factor fits.
BOOST_AUTO_TEST_CASE(dropout_has_no_p_between_multiples) {
  const auto found = [](double p) {
    const Values y = dropout(Tensor::full({1 << 20}, 1, DType::f64), {p, {1, 0}}).to_vector<double>();
    const double largest = *std::ranges::max_element(y);
    return std::pair(std::ranges::count(y, largest), largest);
  };
  const auto [most, factor] = found(1e-9);
  BOOST_TEST((most < (1 << 20) && most > (1 << 20) - 60));
  BOOST_TEST(factor == 1 / (1 - 0x1p-16));
  const auto [least, large] = found(1 - 1e-9);
  BOOST_TEST((least > 0 && least < 60));
  BOOST_TEST(large == 0x1p16);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
