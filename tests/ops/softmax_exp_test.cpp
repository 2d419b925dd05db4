// The exponential of the fused attention (ops/span_attention/cpu/exp-inl.h) against std::exp, on every instruction set.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tests/ops/softmax_exp_test.cpp"
#include <hwy/foreach_target.h>  // compiles this file again for each instruction set

#include "engine/simd-inl.h"
#include "ops/span_attention/cpu/exp-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {
namespace {

template <class T>
void exp_of_all(const std::vector<T>& x, T* to) {
  for_each_vector<T>(static_cast<int64_t>(x.size()), [&](auto d, int64_t i) HWY_ATTR {
    hn::StoreU(softmax_exp(d, hn::LoadU(d, x.data() + i)), d, to + i);
  });
}
void exp_f32(const std::vector<float>& x, float* to) { exp_of_all(x, to); }
void exp_f64(const std::vector<double>& x, double* to) { exp_of_all(x, to); }

}  // namespace
}  // namespace fade::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "tests/instruction_sets.h"

namespace fade::test {
namespace {

HWY_EXPORT(exp_f32);
HWY_EXPORT(exp_f64);

std::vector<float> found(const std::vector<float>& x) {
  std::vector<float> y(x.size());
  HWY_DYNAMIC_DISPATCH(exp_f32)(x, y.data());
  return y;
}
std::vector<double> found(const std::vector<double>& x) {
  std::vector<double> y(x.size());
  HWY_DYNAMIC_DISPATCH(exp_f64)(x, y.data());
  return y;
}

/// x of every vector's lanes, between numbers whose exponential is 1.
template <class T>
bool all_are(T x, T expected) {
  const std::vector<T> y = found(std::vector<T>(67, x));
  return std::ranges::all_of(y, [&](T v) { return std::isnan(expected) ? std::isnan(v) : v == expected; });
}

/// The largest error of e^x for x from −87.68 to 20 (f32: the least x that does not give 0), relative to
/// (1 + |x|)·e^x; a smallest number of T is no error.
template <class T>
double largest_error() {
  std::vector<T> x;
  for (double at = -87.68; at <= 20; at += 0.00731) x.push_back(static_cast<T>(at));
  const std::vector<T> y = found(x);
  double largest = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double at = x[i], e = std::exp(at);
    const double error = std::abs(y[i] - e) - double{std::numeric_limits<T>::denorm_min()};
    largest = std::max(largest, error / ((1 + std::abs(at)) * e));
  }
  return largest;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(softmax_exp)

// f32: r carries half an ulp of x·log2(e), 6e-8 of x, and the rounding of log2(e), 1.3e-8; 2^r two ulp at most.
BOOST_AUTO_TEST_CASE(the_exponential_is_that_of_the_standard_library) {
  for_each_instruction_set([] {
    BOOST_TEST(largest_error<float>() < 1.2e-7);
    BOOST_TEST(largest_error<double>() < 5e-16);
  });
}

BOOST_AUTO_TEST_CASE(small_numbers_give_0_and_a_nan_stays) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for_each_instruction_set([] {
    for (const float x : {-87.7f, -88.1f, -89.0f, -100.0f, -1e30f, -kInfinity})
      BOOST_TEST(all_are(x, 0.0f), x);
    BOOST_TEST(all_are(-double{kInfinity}, 0.0));
    BOOST_TEST(all_are(0.0f, 1.0f));
    BOOST_TEST(all_are(0.0, 1.0));
    BOOST_TEST(all_are(NAN, NAN));
    BOOST_TEST(all_are(double{NAN}, double{NAN}));
  });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
#endif
