// Ages of a context's rows, and the rectangle that they are padded to, on every device.
#include "ops/packed_rows/packed_rows.h"

#include <boost/test/unit_test.hpp>

#include "tests/ops/op_checks.h"

namespace fade {
namespace {

using Ints = std::vector<int32_t>;

Tensor on(Device device, const Ints& values) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())}).to(device);
}

// Two streams with blocks of 2; the first has three memory rows, the second one.
PackedRows small_context(Device device) {
  return {.start = on(device, {0, 3, 4}),
          .age = context_ages(on(device, {9, 5, 1, 3}), 2, 2),
          .streams = 2,
          .block = 2,
          .memory_rows = 4};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(packed_rows)

BOOST_AUTO_TEST_CASE(ages_count_from_the_blocks_first_query) {
  for (const Device device : test::available_devices())
    BOOST_TEST(small_context(device).age.to_vector<int32_t>() == (Ints{9, 5, 1, 3, 0, -1, 0, -1}),
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(shorter_streams_are_padded_at_their_end) {
  for (const Device device : test::available_devices()) {
    const PaddedRows padded = pad(small_context(device));
    BOOST_TEST((padded.index.shape() == Shape{2, 5}));
    BOOST_TEST((padded.age.shape() == Shape{2, 5}));
    BOOST_TEST((padded.index.device() == device && padded.age.device() == device));
    BOOST_TEST(padded.index.to_vector<int32_t>() == (Ints{0, 1, 2, 4, 5, 3, 6, 7, -1, -1}),
               boost::test_tools::per_element());
    BOOST_TEST(padded.age.to_vector<int32_t>() == (Ints{9, 5, 1, 0, -1, 3, 0, -1, kPaddingAge, kPaddingAge}),
               boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
