// Rows by index above another matrix. (An index out of range: index_range_test.cpp.)
#include <boost/test/unit_test.hpp>

#include "ops/gather_rows/gather_rows.h"
#include "tests/ops/op_checks.h"
#include "tests/support.h"

namespace fade::test {
namespace {

/// gather_above of rows of [[1, 2], [3, 4], [5, 6]] and one row, `bottom`.
std::vector<float> above(const std::vector<int32_t>& index, const std::vector<float>& bottom, Device device) {
  const Tensor top = Tensor::from(std::vector<float>{1, 2, 3, 4, 5, 6}, {3, 2}).to(device);
  return gather_above(top, Tensor::from(index, {std::ssize(index)}).to(device),
                      Tensor::from(bottom, {1, 2}).to(device))
      .to_vector<float>();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(gather_above_test)

BOOST_AUTO_TEST_CASE(the_rows_that_are_named_come_first) {
  for (const Device device : available_devices())
    BOOST_TEST((above({2, 0, 2}, {7, 8}, device) == std::vector<float>{5, 6, 1, 2, 5, 6, 7, 8}),
               name_of(device));
}

BOOST_AUTO_TEST_CASE(without_an_index_the_other_matrix_is_left) {
  for (const Device device : available_devices())
    BOOST_TEST((above({}, {9, 10}, device) == std::vector<float>{9, 10}), name_of(device));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
