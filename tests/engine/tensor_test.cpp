// Tensors, shapes and memory. Errors name the values and the remedy.
#include "engine/tensor.h"

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "engine/error.h"
#include "engine/primitives.h"
#include "ops/elementwise/elementwise.h"
#include "ops/matmul/matmul.h"
#include "tests/ops/op_checks.h"
#include "tests/support.h"

namespace fade {
using test::error_of;

BOOST_AUTO_TEST_SUITE(tensor)

BOOST_AUTO_TEST_CASE(shapes) {
  const Shape s{2, 3, 5};
  BOOST_TEST(s.str() == "[2,3,5]");
  BOOST_TEST(Shape{}.str() == "[]");
  BOOST_TEST(s.numel() == 30);
  BOOST_TEST(Shape{}.numel() == 1);
  BOOST_TEST((Shape{4, 0}.numel()) == 0);
  BOOST_TEST(s[-1] == 5);
  BOOST_TEST(s.numel(1, 3) == 15);
  BOOST_CHECK((s != Shape{2, 3}));
  BOOST_CHECK_THROW(s[3], Error);
  BOOST_CHECK_THROW((Shape{1, 1, 1, 1, 1, 1, 1}), Error);
  BOOST_CHECK_THROW((Shape{-1}), Error);
}

BOOST_AUTO_TEST_CASE(dimensions_that_are_walked_as_one_are_merged) {
  const Shape s{2, 3, 1, 4};
  Strides contiguous[] = {broadcast_strides(s, s)};
  BOOST_TEST((merge_dims(s, contiguous) == Shape{24}));
  BOOST_TEST(contiguous[0][0] == 1);
  // A repeated row merges the first two dimensions, but not the last.
  Strides row[] = {broadcast_strides(s, s), broadcast_strides({4}, s)};
  BOOST_TEST((merge_dims(s, row) == Shape{6, 4}));
  BOOST_TEST((row[0][0] == 4 && row[0][1] == 1 && row[1][0] == 0 && row[1][1] == 1));
  Strides transposed[] = {{12, 4, 4, 1}, {1, 8, 8, 2}};
  BOOST_TEST((merge_dims(s, transposed) == Shape{2, 12}));
  BOOST_TEST((transposed[1][0] == 1 && transposed[1][1] == 2));
  BOOST_TEST((merge_dims({1, 1}, contiguous) == Shape{}));
}

BOOST_AUTO_TEST_CASE(values_go_in_and_come_out) {
  const Tensor t = Tensor::from(std::vector<int32_t>{1, 2, 3, 4, 5, 6}, {2, 3});
  BOOST_TEST(t.to(DType::f64).to_vector<double>()[4] == 5.0);
  BOOST_TEST(t.to(DType::u8).to_vector<uint8_t>()[5] == 6);
  BOOST_TEST(t.rows(1, 2).to_vector<int32_t>() == (std::vector{4, 5, 6}), boost::test_tools::per_element());
  BOOST_TEST(Tensor::full({}, 2.5).item() == 2.5);
  BOOST_TEST(Tensor::zeros({3}, DType::f64).to_vector<double>()[2] == 0.0);
  BOOST_TEST(!Tensor());
}

BOOST_AUTO_TEST_CASE(views_share_and_clones_do_not) {
  const Tensor t = Tensor::full({2, 3}, 1), view = t.view({3, 2}), row = t.rows(1, 2), copy = t.clone();
  t.mutate<float>()[3] = 7;
  BOOST_TEST(view.to_vector<float>()[3] == 7);
  BOOST_TEST(row.to_vector<float>()[0] == 7);
  BOOST_TEST(copy.to_vector<float>()[3] == 1);
  BOOST_TEST(view.version() == t.version());
}

BOOST_AUTO_TEST_CASE(rows_are_appended_in_place_where_there_is_room) {
  for (const Device device : test::available_devices()) {
    const auto row = [&](float x) { return Tensor::full({1, 2}, x, DType::f32, device); };
    const auto check = [](const Tensor& rows, const std::vector<float>& wanted) {
      BOOST_TEST(rows.to_vector<float>() == wanted, boost::test_tools::per_element());
    };
    const Tensor none = Tensor::zeros({0, 2}, DType::f32, device),
                 four = none.append(row(1)).append(row(2)).append(none).append(row(3)).append(row(4));
    const uint32_t version = four.version();
    const Tensor five = four.append(row(5)), other = four.append(row(6));  // the second finds the place taken
    BOOST_TEST(five.data_bytes() == four.data_bytes());
    BOOST_TEST(other.data_bytes() != four.data_bytes());
    BOOST_TEST(four.version() == version);
    check(four, {1, 1, 2, 2, 3, 3, 4, 4});
    check(other, {1, 1, 2, 2, 3, 3, 4, 4, 6, 6});
    check(five.rows(0, 2).append(row(7)), {1, 1, 2, 2, 7, 7});  // the place of its third row is taken, too
    check(five, {1, 1, 2, 2, 3, 3, 4, 4, 5, 5});
    check(five.rows(3, 5).append(row(8)), {4, 4, 5, 5, 8, 8});
  }
}

BOOST_AUTO_TEST_CASE(appending_other_rows_is_an_error) {
  const Tensor rows = Tensor::zeros({2, 3});
  for (const Tensor& wrong : {Tensor::zeros({1, 2}), Tensor::zeros({3}), Tensor::zeros({1, 3}, DType::f64)})
    BOOST_TEST(test::contains(error_of([&] { rows.append(wrong); }), "append: f"));
  BOOST_CHECK_THROW(Tensor::full({}, 1).append(rows), Error);
  BOOST_CHECK_THROW(rows.append(Tensor::full({}, 1)), Error);
}

BOOST_AUTO_TEST_CASE(writing_advances_the_version_and_reading_does_not) {
  const Tensor t = Tensor::full({2}, 1);
  const uint32_t version = t.version();
  t.data<float>();
  BOOST_TEST(t.version() == version);
  t.rows(0, 1).mutate<float>();
  BOOST_TEST(t.version() == version + 1);
}

BOOST_AUTO_TEST_CASE(sole_owner_sees_handles_and_views) {
  Tensor t = Tensor::full({2}, 1);
  BOOST_TEST(t.sole_owner());
  {
    const Tensor handle = t;  // NOLINT(performance-unnecessary-copy-initialization): it counts as an owner
    BOOST_TEST(!t.sole_owner());
  }
  {
    const Tensor view = t.view({1, 2});
    BOOST_TEST(!t.sole_owner());
  }
  BOOST_TEST(t.sole_owner());
}

BOOST_AUTO_TEST_CASE(memory_is_counted_and_reused) {
  const MemoryStats before = memory_stats(Device::cpu);
  reset_peak(Device::cpu);
  { const Tensor t = Tensor::empty({1000}); }
  const MemoryStats once = memory_stats(Device::cpu);
  BOOST_TEST(once.live == before.live);
  BOOST_TEST(once.peak >= before.live + 4000);
  for (int i = 0; i < 10; ++i) {
    const Tensor t = Tensor::empty({1000});
  }
  BOOST_TEST(memory_stats(Device::cpu).system == once.system);
  BOOST_TEST(memory_stats(Device::cpu).peak == once.peak);
  trim_pool(Device::cpu);
  BOOST_TEST(memory_stats(Device::cpu).system < once.system);
}

BOOST_AUTO_TEST_CASE(memory_is_aligned) {
  for (const int64_t n : {0, 1, 17, 1000, 100'003})
    BOOST_TEST(reinterpret_cast<uintptr_t>(Tensor::empty({n}).data<float>()) % 64 == 0u);
}

BOOST_AUTO_TEST_CASE(sum_to_is_the_adjoint_of_broadcasting) {
  const Tensor x = Tensor::from(std::vector<double>{1, 2, 3, 4, 5, 6}, {2, 3});
  BOOST_TEST(sum_to(x, {3}).to_vector<double>() == (std::vector<double>{5, 7, 9}),
             boost::test_tools::per_element());
  BOOST_TEST(sum_to(x, {2, 1}).to_vector<double>() == (std::vector<double>{6, 15}),
             boost::test_tools::per_element());
  BOOST_TEST(sum_to(x, {}).item() == 21.0);
  BOOST_TEST(
      sum_to(Tensor::empty({0, 2}, DType::f64), {2}).to_vector<double>() == (std::vector<double>{0, 0}),
      boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(not_a_number_stays_one) {
  const Tensor x = Tensor::full({1}, std::nan(""));
  for (const Tensor& y : {relu(x), clamp(x, 0, 1), gelu(x), sigmoid(x), tanh(x), exp(x), log(x)})
    BOOST_TEST(std::isnan(y.item()));
}

BOOST_AUTO_TEST_CASE(errors_of_operations) {
  const auto f32 = [](const Shape& s) { return Tensor::zeros(s); };
  BOOST_TEST(error_of([&] {
               matmul(f32({16, 64}), f32({128, 64}));
             }) == "matmul: [16,64] x [128,64]: inner sizes 64 and 128 differ (did you mean transpose.b?)");
  BOOST_TEST(error_of([&] {
               matmul(f32({64, 16}), f32({64, 8}));
             }) == "matmul: [64,16] x [64,8]: inner sizes 16 and 64 differ (did you mean transpose.a?)");
  BOOST_TEST(error_of([&] {
               matmul(f32({16, 64}), f32({64, 128}), {.b = true});
             }) ==
             "matmul: [16,64] x [64,128]: inner sizes 64 and 128 differ (did you mean no transpose.b?)");
  BOOST_TEST(error_of([&] {
               matmul(f32({2, 3}), f32({5, 7}));
             }) == "matmul: [2,3] x [5,7]: inner sizes 3 and 5 differ");
  BOOST_TEST(error_of([&] {
               matmul(f32({2, 3, 5}), f32({4, 5, 7}));
             }) ==
             "matmul: [2,3,5] x [4,5,7]: batch sizes differ (expand one of them, or give b two dimensions)");
  BOOST_TEST(error_of([&] {
               add(f32({2, 3}), f32({2}));
             }) ==
             "add: [2,3] and [2] do not broadcast: sizes 3 and 2 differ and neither is 1 "
             "(reshape one, or add dimensions of size 1 to it)");
  BOOST_TEST(error_of([&] { mul(f32({2}), Tensor::zeros({2}, DType::f64)); }) ==
             "mul: f32 [2] with f64 [2]: one type is needed (convert with .to(DType::f32))");
  BOOST_TEST(error_of([&] { exp(Tensor::zeros({2}, DType::i32)); }) ==
             "exp: got a tensor of i32, needs f32 or f64 (convert with .to(DType::f32))");
  BOOST_TEST(error_of([&] { clamp(f32({2}), 1, 0); }) == "clamp: low 1 is above high 0 (swap them)");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
