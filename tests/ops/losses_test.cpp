// Losses where a naive formula would lose all digits, overflow, or be misused.
#include "ops/losses/losses.h"

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "engine/tape.h"
#include "tests/ops/op_checks.h"
#include "tests/support.h"

namespace fade::test {
namespace {

Tensor one(float v, Device d) { return Tensor::from(std::vector<float>{v}, {1}).to(d); }

double binary(float x, float t, Device d) {
  return binary_cross_entropy_with_logits(one(x, d), one(t, d)).item();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(losses_test)

// In f32, log(1 + e^−20) and 20 − log(e^20 − 1) are 0.
BOOST_AUTO_TEST_CASE(a_small_loss_keeps_its_digits) {
  for (const Device d : available_devices()) {
    const double small = std::log1p(std::exp(-20.0));
    BOOST_TEST(std::abs(binary(20, 1, d) / small - 1) < 1e-6);
    BOOST_TEST(std::abs(binary(-20, 0, d) / small - 1) < 1e-6);
    BOOST_TEST(binary(1000, 0, d) == 1000);
    BOOST_TEST(binary(-1000, 1, d) == 1000);
    BOOST_TEST(binary(1000, 1, d) == 0);
  }
}

BOOST_AUTO_TEST_CASE(the_gradient_at_a_logit_of_zero_is_half_minus_the_target) {
  for (const Device d : available_devices()) {
    const Tensor x = one(0, d).set_requires_grad();
    const Recording on;
    backward(binary_cross_entropy_with_logits(x, one(1, d)));
    BOOST_TEST(x.grad().item() == -0.5);
  }
}

BOOST_AUTO_TEST_CASE(shapes_that_differ_are_refused) {
  const Tensor a = Tensor::zeros({3, 1}), b = Tensor::zeros({3}), none = Tensor::zeros({0});
  BOOST_TEST(error_of([&] { mse_loss(a, b); }) == "mse_loss: the target has shape [3], needs [3,1]");
  BOOST_TEST(error_of([&] { binary_cross_entropy_with_logits(a, b); }) ==
             "binary_cross_entropy_with_logits: the target has shape [3], needs [3,1]");
  BOOST_TEST(error_of([&] { mse_loss(none, none); }) ==
             "mse_loss: shape [0] has no elements for the mean (give it at least one)");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
