// What conv1d refuses, in words that say what would fit.
#include "ops/conv1d/conv1d.h"

#include <boost/test/unit_test.hpp>

#include "tests/support.h"

namespace fade::test {
namespace {

std::string refused(const Shape& x, const Shape& weight, const Conv1dOptions& options = {}) {
  return error_of([&] { conv1d(Tensor::zeros(x), Tensor::zeros(weight), {}, options); });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(conv1d_test)

BOOST_AUTO_TEST_CASE(sizes_that_do_not_fit_are_refused) {
  BOOST_TEST(refused({3, 5}, {2, 3, 3}) == "conv1d: x has shape [3,5], needs 3 dimensions");
  BOOST_TEST(refused({1, 4, 5}, {2, 3, 3}) == "conv1d: the weight has shape [2,3,3], needs [2,4,3]");
  BOOST_TEST(refused({1, 4, 5}, {2, 4, 3}, {.groups = 2}) ==
             "conv1d: the weight has shape [2,4,3], needs [2,2,3]");
  BOOST_TEST(refused({1, 4, 5}, {3, 2, 3}, {.groups = 2}) ==
             "conv1d: 4 input and 3 output channels in 2 groups (both must be divisible)");
  BOOST_TEST(refused({1, 4, 5}, {2, 4, 4}, {.dilation = 3}) ==
             "conv1d: a kernel of 4 elements spans 10 positions, x has 5 with padding (pad by 3 more)");
  BOOST_TEST(refused({1, 4, 5}, {2, 4, 3}, {.stride = 0}) ==
             "conv1d: stride 0, padding 0, dilation 1, groups 1: all are at least 1, padding at least 0");
  BOOST_TEST(refused({1, 4, 5}, {2, 4, 0}) ==
             "conv1d: the weight has shape [2,4,0]: its kernels have no elements (give them at least one)");
  constexpr int64_t kHuge = int64_t{1} << 62;  // 4·2^62 is 0 in 64 bits, 2·2^62 is negative
  BOOST_TEST(refused({1, 4, 5}, {2, 4, 5}, {.dilation = kHuge}) ==
             "conv1d: padding 0, dilation 4611686018427387904: beyond any memory (is one wrong?)");
  BOOST_TEST(refused({1, 4, 5}, {2, 4, 3}, {.padding = kHuge}) ==
             "conv1d: padding 4611686018427387904, dilation 1: beyond any memory (is one wrong?)");
  BOOST_TEST(error_of([] {
               conv1d(Tensor::zeros({1, 4, 5}), Tensor::zeros({2, 4, 3}), Tensor::zeros({4}));
             }) == "conv1d: the bias has shape [4], needs [2]");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
