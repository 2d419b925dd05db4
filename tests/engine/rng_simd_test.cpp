// Philox in vectors (engine/rng-inl.h) gives the words of philox(), on every instruction set of this machine.
#include <boost/test/unit_test.hpp>
#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tests/engine/rng_simd_test.cpp"
#include "hwy/foreach_target.h"  // compiles this file again for each instruction set

#include "engine/rng-inl.h"
#include "tests/instruction_sets.h"

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {
namespace {

void words(RngKey key, uint64_t first, int64_t counters, uint32_t* to) {
  philox_words(key, first, counters, to);
}

}  // namespace
}  // namespace fade::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fade {
namespace {

HWY_EXPORT(words);

constexpr int64_t kCounters = 24;  // a multiple of every vector's 64-bit lanes

void check_words(RngKey key, uint64_t first) {
  std::vector<uint32_t> expected, found(4 * kCounters);
  for (uint64_t i = 0; i < kCounters; ++i)
    for (const uint32_t word : philox(key, first + i).v) expected.push_back(word);
  HWY_DYNAMIC_DISPATCH(words)(key, first, kCounters, found.data());
  BOOST_TEST(found == expected,
             "seed " << key.seed << ", stream " << key.stream << ", position " << first << " differs");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(rng_simd)

BOOST_AUTO_TEST_CASE(vectors_give_the_words_of_philox) {
  const Generator random(3);
  test::for_each_instruction_set([&] {
    // Positions that carry into their upper half, and past the last one.
    for (const uint64_t first : {uint64_t{0}, uint64_t{5}, (uint64_t{1} << 32) - 7, ~uint64_t{0} - 9})
      for (const RngKey key : {RngKey{0, 0}, RngKey{1, 2}, RngKey{~uint64_t{0}, ~uint64_t{0}}})
        check_words(key, first);
    for (uint64_t i = 0; i < 200; ++i) {  // random keys and positions
      const auto number = [&](uint64_t k) {
        const Philox4 r = philox(random.state(), 3 * i + k);
        return uint64_t{r.v[0]} << 32 | r.v[1];
      };
      check_words({number(0), number(1)}, number(2));
    }
  });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
#endif
