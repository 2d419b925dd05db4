// Philox: the published test vectors, and the properties that the rest of the program relies on.
#include "engine/rng.h"

#include <array>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <vector>

namespace fade {
namespace {

constexpr uint64_t words(uint32_t low, uint32_t high) { return uint64_t{high} << 32 | low; }

std::array<uint32_t, 4> generate(const std::array<uint32_t, 4>& counter, const std::array<uint32_t, 2>& key) {
  const Philox4 r =
      philox({words(key[0], key[1]), words(counter[2], counter[3])}, words(counter[0], counter[1]));
  return {r.v[0], r.v[1], r.v[2], r.v[3]};
}

using Four = std::array<uint32_t, 4>;

}  // namespace

BOOST_AUTO_TEST_SUITE(rng)

// Known answers for philox4x32 with ten rounds, published with Random123 (Salmon et al. 2011).
BOOST_AUTO_TEST_CASE(known_answers) {
  BOOST_TEST(generate({0, 0, 0, 0}, {0, 0}) == (Four{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}),
             boost::test_tools::per_element());
  constexpr uint32_t ones = 0xffffffff;
  BOOST_TEST(generate({ones, ones, ones, ones}, {ones, ones}) ==
                 (Four{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}),
             boost::test_tools::per_element());
  BOOST_TEST(generate({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
                 (Four{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}),
             boost::test_tools::per_element());
}

// Mean and variance of n uniform numbers: 1/2 and 1/12, with standard errors 0.29/√n and 0.075/√n. The bounds
// are five of those; the numbers are the same on every run, so this never fails by chance.
BOOST_AUTO_TEST_CASE(uniform_numbers) {
  constexpr int n = 100'000;
  const RngKey key{5, 2};
  double sum = 0, squares = 0, low = 1, high = 0;
  std::array<int, 16> bins{};
  for (uint64_t i = 0; i < n; ++i) {
    const double u = uniform(key, i);
    sum += u;
    squares += (u - 0.5) * (u - 0.5);
    low = std::min(low, u);
    high = std::max(high, u);
    ++bins.at(static_cast<size_t>(u * 16));
  }
  BOOST_TEST(std::abs(sum / n - 0.5) < 5 * 0.29 / std::sqrt(n));
  BOOST_TEST(std::abs(squares / n - 1.0 / 12) < 5 * 0.075 / std::sqrt(n));
  BOOST_TEST(low >= 0);
  BOOST_TEST(high < 1);
  double chi_squared = 0;
  for (const int count : bins) chi_squared += std::pow(count - n / 16.0, 2) / (n / 16.0);
  BOOST_TEST(chi_squared < 37.7);  // 15 degrees of freedom, 99.9 %
}

BOOST_AUTO_TEST_CASE(numbers_do_not_depend_on_the_order_of_calls) {
  const RngKey key{7, 1};
  std::vector<float> forwards, backwards(101);
  for (uint64_t i = 0; i < 101; ++i) forwards.push_back(uniform(key, i));
  for (uint64_t i = 101; i-- > 0;) backwards[i] = uniform(key, i);
  BOOST_TEST(forwards == backwards);
}

BOOST_AUTO_TEST_CASE(streams_and_seeds_differ) {
  int equal = 0;
  for (uint64_t i = 0; i < 1000; ++i) {
    equal += uniform({1, 0}, i) == uniform({1, 1}, i);
    equal += uniform({1, 0}, i) == uniform({2, 0}, i);
    equal += uniform({1, 0}, i) == uniform({1, 0}, i + 1);
  }
  BOOST_TEST(equal <= 1);  // 3000 pairs of 24-bit numbers
}

BOOST_AUTO_TEST_CASE(a_generator_is_two_integers) {
  Generator g(9);
  g.next();
  const RngKey state = g.state();
  const RngKey second = g.next();
  Generator resumed(1);
  resumed.restore(state);
  const RngKey again = resumed.next();
  BOOST_TEST(again.seed == second.seed);
  BOOST_TEST(again.stream == second.stream);
  BOOST_TEST(second.stream == 1u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
