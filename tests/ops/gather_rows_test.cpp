// Rows that follow one another, which are copied together.
#include "ops/gather_rows/gather_rows.h"

#include <boost/test/unit_test.hpp>
#include <numeric>

#include "tests/ops/op_checks.h"
#include "tests/threads.h"

namespace fade::test {
namespace {

constexpr int64_t kWidth = 600;  // rows of which 28 are worth a thread

// `count` rows whose elements are first, first + 1, ..
Tensor numbered(int64_t count, float first) {
  std::vector<float> values(static_cast<size_t>(count * kWidth));
  std::iota(values.begin(), values.end(), first);
  return Tensor::from(values, {count, kWidth});
}

}  // namespace

BOOST_AUTO_TEST_SUITE(gather_rows_test)

// One run of rows, which crosses from one matrix to the other, and from thread to thread.
BOOST_AUTO_TEST_CASE(a_run_crosses_matrices_and_threads) {
  const Threads on(3);
  const Tensor all = numbered(200, 0);
  // Behind the rows of top, in the same tensor, are others than those of bottom.
  const Tensor top = all.rows(100, 140), bottom = all.rows(0, 60);
  std::vector<int32_t> index(90);
  std::iota(index.begin(), index.end(), 5);
  std::vector<float> expected = all.rows(105, 140).to_vector<float>();
  for (const float x : all.rows(0, 55).to_vector<float>()) expected.push_back(x);
  for (const Device device : available_devices())
    BOOST_TEST((gather_rows_of(top.to(device), bottom.to(device), Tensor::from(index, {90}).to(device))
                    .to_vector<float>() == expected));
}

BOOST_AUTO_TEST_CASE(padding_interrupts_a_run) {
  const Tensor x = numbered(8, 1);
  const std::vector<int32_t> index{4, -1, 5, 6, -1, -1, 0, 1};
  std::vector<float> expected;
  for (const int32_t row : index)
    for (int64_t h = 0; h < kWidth; ++h)
      expected.push_back(row < 0 ? 0 : static_cast<float>(1 + row * kWidth + h));
  for (const Device device : available_devices())
    BOOST_TEST(
        (gather_rows(x.to(device), Tensor::from(index, {8}).to(device)).to_vector<float>() == expected));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
