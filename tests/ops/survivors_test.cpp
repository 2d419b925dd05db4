// Which rows of a context survive, and in what order, on every device.
#include <boost/test/unit_test.hpp>
#include <limits>

#include "ops/survivors/survivors.h"
#include "tests/ops/op_checks.h"

namespace fade {
namespace {

using Ints = std::vector<int32_t>;

Tensor on(Device device, const Ints& values) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())}).to(device);
}

PackedRows context(Device device, const Ints& memory_age, const Ints& start, int64_t block) {
  const auto streams = static_cast<int64_t>(start.size()) - 1;
  return {.start = on(device, start),
          .age = context_ages(on(device, memory_age), streams, block),
          .streams = streams,
          .block = block,
          .memory_rows = static_cast<int64_t>(memory_age.size())};
}

// Two streams with blocks of 2; the first has three memory rows, the second one.
PackedRows small_context(Device device) { return context(device, {9, 5, 1, 3}, {0, 3, 4}, 2); }

struct Found {
  Ints index, age, start;
  Found(const PackedRows& rows, const Lifetime& life) {
    const Survivors s = survivors(rows, life);
    start = s.start.to_vector<int32_t>();
    index = s.index.rows(0, start.back()).to_vector<int32_t>();
    age = s.age.rows(0, start.back()).to_vector<int32_t>();
  }
  void check(const Ints& wanted_index, const Ints& wanted_age, const Ints& wanted_start) const {
    BOOST_TEST(index == wanted_index, boost::test_tools::per_element());
    BOOST_TEST(age == wanted_age, boost::test_tools::per_element());
    BOOST_TEST(start == wanted_start, boost::test_tools::per_element());
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(survivors_of_contexts)

BOOST_AUTO_TEST_CASE(a_row_is_kept_while_a_later_query_can_see_it) {
  for (const Device device : test::available_devices()) {
    const PackedRows rows = small_context(device);
    // The next query is at distances 11, 7, 3 | 5 | 2, 1 | 2, 1.
    Found(rows, {{}, 7.5}).check({1, 2, 4, 5, 3, 6, 7}, {7, 3, 2, 1, 5, 2, 1}, {0, 4, 7});
    Found(rows, {{}, 7})
        .check({2, 4, 5, 3, 6, 7}, {3, 2, 1, 5, 2, 1}, {0, 3, 6});  // at its reach, it is gone
    Found(rows, {{}, 0}).check({}, {}, {0, 0, 0});
    Found(rows, {{}, std::numeric_limits<double>::infinity()})
        .check({0, 1, 2, 4, 5, 3, 6, 7}, {11, 7, 3, 2, 1, 5, 2, 1}, {0, 5, 8});
    constexpr float kNan = std::numeric_limits<float>::quiet_NaN(),
                    kLowest = -std::numeric_limits<float>::infinity();
    const Tensor odd =
        Tensor::from(std::vector{kNan, kLowest, 1.f, 1.f, 1.f, 1.f, 1.f, kNan}, {8}).to(device);
    Found(rows, {odd, std::numeric_limits<double>::infinity()})
        .check({0, 1, 2, 4, 5, 3, 6, 7}, {11, 7, 3, 2, 1, 5, 2, 1}, {0, 5, 8});
  }
}

BOOST_AUTO_TEST_CASE(spans_are_each_rows_own_or_one_for_all) {
  for (const Device device : test::available_devices())
    for (const DType dtype : {DType::f32, DType::f64}) {
      const PackedRows rows = small_context(device);
      const Tensor own = Tensor::from(std::vector<float>{10, 1, 2, 0, 0, 0, 1, 0}, {8}).to(dtype).to(device);
      Found(rows, {own, 1.5}).check({0, 2, 5, 6, 7}, {11, 3, 1, 2, 1}, {0, 3, 5});
      Found(rows, {Tensor::full({1}, 1, dtype, device), 1.5}).check({4, 5, 6, 7}, {2, 1, 2, 1}, {0, 2, 4});
    }
}

// Many streams of many rows, or very many of few: several rounds of a thread block over rows and over
// streams, and the order within each stream.
BOOST_AUTO_TEST_CASE(large_contexts_keep_their_order) {
  for (const Device device : test::available_devices())
    for (const auto& sizes : {std::pair<int64_t, int64_t>{37, 19}, {700, 1}}) {
      const int64_t streams = sizes.first, block = sizes.second;
      Ints age, start{0};
      for (int64_t b = 0; b < streams; ++b) {
        for (int64_t r = 0; r < b * 23 % (streams < 100 ? 701 : 5); ++r)
          age.push_back(static_cast<int32_t>((r * 37 + b) % 997 + 1));
        start.push_back(static_cast<int32_t>(age.size()));
      }
      const auto memory_rows = static_cast<int64_t>(age.size());
      const PackedRows rows = context(device, age, start, block);
      Ints index, ages, ends{0};
      const auto take = [&](int64_t row, int64_t distance) {
        if (distance >= 400) return;
        index.push_back(static_cast<int32_t>(row));
        ages.push_back(static_cast<int32_t>(distance));
      };
      for (int64_t b = 0; b < streams; ++b) {
        for (int64_t r = start[b]; r < start[b + 1]; ++r) take(r, age[r] + block);
        for (int64_t p = 0; p < block; ++p) take(memory_rows + b * block + p, block - p);
        ends.push_back(static_cast<int32_t>(index.size()));
      }
      Found(rows, {{}, 400}).check(index, ages, ends);
    }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
