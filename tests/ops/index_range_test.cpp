// An index out of range is the same error on every device.
#include <boost/test/unit_test.hpp>

#include "ops/cross_entropy/cross_entropy.h"
#include "ops/embedding/embedding.h"
#include "ops/gather/gather.h"
#include "ops/gather_rows/gather_rows.h"
#include "tests/ops/op_checks.h"
#include "tests/support.h"

namespace fade::test {
namespace {

Tensor zeros(const Shape& shape, Device d) { return Tensor::zeros(shape, DType::f32, d); }
Tensor indices(const std::vector<int32_t>& values, Device d) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())}).to(d);
}

// The error of `work`, which the device reports when the host waits for it.
template <class Work>
std::string message_of(const Work& work) {
  return refusal([&] { work().to(Device::cpu); });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(index_range)

BOOST_AUTO_TEST_CASE(an_error_names_the_value_its_place_and_the_range) {
  for (const Device d : available_devices()) {
    const Tensor x = zeros({4, 3}, d);
    BOOST_TEST(message_of([&] {
                 return cross_entropy(x, indices({0, 2, 3, 1}, d));
               }) == "cross_entropy: target 3 at place 2 is not within [0, 3)");
    BOOST_TEST(message_of([&] {
                 return cross_entropy(x, indices({0, 2, -1, 1}, d));
               }) == "cross_entropy: target -1 at place 2 is not within [0, 3)");
    BOOST_TEST(message_of([&] {
                 return embedding(x, indices({0, -1}, d));
               }) == "embedding: token -1 at place 1 is not within [0, 4)");
    BOOST_TEST(message_of([&] { return embedding(x, indices({4}, d)); }) ==
               "embedding: token 4 at place 0 is not within [0, 4)");
    BOOST_TEST(message_of([&] {
                 return gather_rows(x, indices({-1, 3, -2}, d));
               }) == "gather_rows: index -2 at place 2 is not within [-1, 4)");
    BOOST_TEST(message_of([&] {
                 return gather_rows_of(x, x, indices({7, 8}, d));
               }) == "gather_rows_of: index 8 at place 1 is not within [0, 8)");
    BOOST_TEST(message_of([&] {
                 return gather_above(x, indices({3, 4}, d), x);
               }) == "gather_above: index 4 at place 1 is not within [0, 4)");
    const Tensor index = indices({0, 3, 1, 2}, d).view({4, 1});
    BOOST_TEST(message_of([&] { return gather(x, 1, index); }) ==
               "gather: index 3 at place 1 is not within [0, 3)");
    BOOST_TEST(message_of([&] {
                 return scatter_add(x, 1, index, zeros({4, 1}, d));
               }) == "scatter_add: index 3 at place 1 is not within [0, 3)");
  }
}

BOOST_AUTO_TEST_CASE(the_ends_of_the_range_are_allowed) {
  for (const Device d : available_devices()) {
    const Tensor x = zeros({4, 3}, d);
    const std::string none = "(no error)";
    BOOST_TEST(message_of([&] { return cross_entropy(x, indices({0, 2, 2, 0}, d)); }) == none);
    BOOST_TEST(message_of([&] { return embedding(x, indices({0, 3}, d)); }) == none);
    BOOST_TEST(message_of([&] { return gather_rows(x, indices({-1, 3}, d)); }) == none);
    BOOST_TEST(message_of([&] { return gather_rows_of(x, x, indices({0, 7}, d)); }) == none);
    BOOST_TEST(message_of([&] { return gather_above(x, indices({0, 3}, d), x); }) == none);
    const Tensor index = indices({0, 2, 1, 2}, d).view({4, 1});
    BOOST_TEST(message_of([&] { return gather(x, 1, index); }) == none);
    BOOST_TEST(message_of([&] { return scatter_add(x, 1, index, zeros({4, 1}, d)); }) == none);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
