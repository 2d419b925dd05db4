// Tensors as text. The expected texts are those of NumPy 2.4; numpy_test compares many more where
// NumPy is there.
#include "engine/print.h"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <numeric>
#include <sstream>

#include "engine/tensor.h"
#include "tests/ops/op_checks.h"
#include "tests/support.h"

namespace fade {
namespace {

const double kInf = INFINITY, kNan = NAN;

Tensor tensor(DType type, const Shape& shape, const std::vector<double>& values) {
  return Tensor::from(values, shape).to(type);
}

Tensor counting(const Shape& shape, DType type) {
  std::vector<double> values(static_cast<size_t>(shape.numel()));
  std::iota(values.begin(), values.end(), 0);
  return tensor(type, shape, values);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(print)

BOOST_AUTO_TEST_CASE(arrays_look_as_in_numpy) {
  const struct {
    DType type;
    Shape shape;
    std::vector<double> values;
    std::string text;
  } cases[] = {
      {DType::f32, {3}, {1, 2.5, -3}, "[ 1.   2.5 -3. ] f32 [3]"},
      {DType::f32, {2, 2}, {1, 2.5, 3, -4}, "[[ 1.   2.5]\n [ 3.  -4. ]] f32 [2,2]"},
      {DType::f32, {3}, {0.1, 0.2, 0.3}, "[0.1 0.2 0.3] f32 [3]"},
      {DType::f64, {3}, {1 / 3.0, 2 / 3.0, 1}, "[0.33333333 0.66666667 1.        ] f64 [3]"},
      {DType::f32, {3}, {1 / 3.0, 2 / 3.0, 1}, "[0.33333334 0.6666667  1.        ] f32 [3]"},
      {DType::f64, {2}, {1e10, 1.5}, "[1.0e+10 1.5e+00] f64 [2]"},
      {DType::f64, {3}, {1e-5, 1, 0}, "[1.e-05 1.e+00 0.e+00] f64 [3]"},
      {DType::f64, {2}, {1000, 1}, "[1000.    1.] f64 [2]"},
      {DType::f64, {2}, {1001, 1}, "[1.001e+03 1.000e+00] f64 [2]"},
      {DType::f32, {2}, {1e6, 999999}, "[1.00000e+06 9.99999e+05] f32 [2]"},
      {DType::f64, {2}, {99999999, 1}, "[9.9999999e+07 1.0000000e+00] f64 [2]"},
      {DType::f64, {3}, {1, kNan, -kInf}, "[  1.  nan -inf] f64 [3]"},
      {DType::f64, {3}, {1e-5, kNan, -kInf}, "[1.e-05    nan   -inf] f64 [3]"},
      {DType::f64, {2}, {kNan, kInf}, "[nan inf] f64 [2]"},
      {DType::f64, {2}, {-0.0, 0}, "[-0.  0.] f64 [2]"},
      {DType::f64, {2}, {1e-300, 1e300}, "[1.e-300 1.e+300] f64 [2]"},
      {DType::i32, {2, 3}, {1, -20, 300, 4, 5, 6}, "[[  1 -20 300]\n [  4   5   6]] i32 [2,3]"},
      {DType::u8, {4}, {0, 7, 255, 1}, "[  0   7 255   1] u8 [4]"},
      {DType::i32, {1, 1, 1}, {5}, "[[[5]]] i32 [1,1,1]"},
      {DType::f32, {2, 0, 3}, {}, "[] f32 [2,0,3]"},
  };
  for (const auto& c : cases) BOOST_TEST(to_string(tensor(c.type, c.shape, c.values)) == c.text);
}

BOOST_AUTO_TEST_CASE(a_number_alone_has_all_its_digits) {
  const struct {
    DType type;
    double value;
    const char* text;
  } cases[] = {
      {DType::f64, 1 / 3.0, "0.3333333333333333 f64 []"},
      {DType::f32, 1 / 3.0, "0.33333334 f32 []"},
      {DType::f64, 2, "2.0 f64 []"},
      {DType::f64, -0.0, "-0.0 f64 []"},
      {DType::f64, 9999999900000000, "9999999900000000.0 f64 []"},
      {DType::f64, 1e16, "1e+16 f64 []"},
      {DType::f64, 9.9e-5, "9.9e-05 f64 []"},
      {DType::f32, 1e6, "1e+06 f32 []"},
      {DType::f64, kNan, "nan f64 []"},
      {DType::i32, -7, "-7 i32 []"},
  };
  for (const auto& c : cases) BOOST_TEST(to_string(tensor(c.type, {}, {c.value})) == c.text);
}

BOOST_AUTO_TEST_CASE(dimensions_lines_and_summaries) {
  BOOST_TEST(to_string(counting({2, 2, 2}, DType::i32)) ==
             "[[[0 1]\n  [2 3]]\n\n [[4 5]\n  [6 7]]] i32 [2,2,2]");
  BOOST_TEST(to_string(counting({30}, DType::f32)) ==
             "[ 0.  1.  2.  3.  4.  5.  6.  7.  8.  9. 10. 11. 12. 13. 14. 15. 16. 17.\n"
             " 18. 19. 20. 21. 22. 23. 24. 25. 26. 27. 28. 29.] f32 [30]");
  BOOST_TEST(to_string(counting({1001}, DType::i32)) == "[   0    1    2 ...  998  999 1000] i32 [1001]");
  BOOST_TEST(to_string(counting({1000, 2}, DType::i32)) ==
             "[[   0    1]\n [   2    3]\n [   4    5]\n ...\n"
             " [1994 1995]\n [1996 1997]\n [1998 1999]] i32 [1000,2]");
}

BOOST_AUTO_TEST_CASE(it_prints_with_fmt_and_streams) {
  const Tensor t = tensor(DType::f64, {2}, {1 / 3.0, 2});
  std::ostringstream stream;
  stream << t;
  BOOST_TEST(stream.str() == to_string(t));
  BOOST_TEST(fmt::format("{}", t) == to_string(t));
  BOOST_TEST(fmt::format("{:.3}", t) == "[0.333 2.   ] f64 [2]");
  BOOST_TEST(fmt::format("{:.0}", t) == "[0. 2.] f64 [2]");
  BOOST_TEST(fmt::format("{:.3}", t.rows(0, 1).view({})) == "0.333 f64 []");
  BOOST_TEST(fmt::format("{}", t.rows(1, 2)) == "[2.] f64 [1]");
  BOOST_TEST(fmt::format("{}", Tensor()) == "an empty tensor");
}

BOOST_AUTO_TEST_CASE(wrong_formats_are_refused) {
  const Tensor t = Tensor::zeros({2});
  for (const char* format : {"{:.}", "{:x}", "{:.3f}", "{:8}"})
    BOOST_CHECK_THROW((void)fmt::format(fmt::runtime(format), t), fmt::format_error);
  BOOST_TEST(test::error_of([&] { to_string(t, 41); }) ==
             "to_string: 41 digits after the point, needs 0 to 40");
  BOOST_TEST(test::error_of([&] { (void)fmt::format("{:.999999999999}", t); }) ==
             "to_string: 41 digits after the point, needs 0 to 40");
}

BOOST_AUTO_TEST_CASE(tensors_of_every_device_print) {
  for (const Device device : test::available_devices()) {
    const Tensor t = Tensor::full({2}, 1.5, DType::f32, device);
    BOOST_TEST(to_string(t) == std::string("[1.5 1.5] f32 [2]") + (device == Device::cpu ? "" : " on cuda"));
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
