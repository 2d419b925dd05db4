// Elementwise operations where central differences cannot check them: at zero, at equal values, at infinity
// and NaN; with numbers as operands; and comparisons, which have no gradient.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>

#include "engine/tape.h"
#include "ops/elementwise/elementwise.h"
#include "ops/reduce/reduce.h"
#include "tests/ops/op_checks.h"
#include "tests/support.h"

namespace fade::test {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity(),
                 kNan = std::numeric_limits<double>::quiet_NaN();

// The same numbers, where NaN equals NaN.
bool same(const Values& a, const Values& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](double x, double y) { return x == y || (std::isnan(x) && std::isnan(y)); });
}

std::string text(const Values& v) {
  std::string all;
  for (const double x : v) all += fmt::format("{} ", x);
  return all;
}

using Function = std::function<Tensor(const Tensors&)>;

// Checks f(inputs), and d(Σ f)/d(input) for each input, on every device.
void check(const char* what, const Arrays& inputs, const Function& f, const Values& wanted,
           const Arrays& gradients) {
  for (const Device device : available_devices()) {
    Tensors tensors;
    for (const Values& v : inputs)
      tensors.push_back(Tensor::from(v, {static_cast<int64_t>(v.size())}).to(device).set_requires_grad());
    const Recording on;
    const Tensor y = f(tensors);
    const Values got = y.to_vector<double>();
    BOOST_TEST(same(got, wanted), what << " on " << name_of(device) << ": " << text(got));
    if (gradients.empty()) continue;
    backward(sum(y));
    for (size_t k = 0; k < gradients.size(); ++k) {
      const Values g = tensors[k].grad().to_vector<double>();
      BOOST_TEST(same(g, gradients[k]),
                 what << " on " << name_of(device) << ", gradient of input " << k << ": " << text(g));
    }
  }
}

Function of_one(Tensor (*f)(const Tensor&)) {
  return [f](const Tensors& in) { return f(in[0]); };
}
Function of_two(Tensor (*f)(const Tensor&, const Tensor&)) {
  return [f](const Tensors& in) { return f(in[0], in[1]); };
}
Function power(double exponent) {
  return [exponent](const Tensors& in) { return pow(in[0], exponent); };
}

}  // namespace

BOOST_AUTO_TEST_SUITE(elementwise_edges)

BOOST_AUTO_TEST_CASE(abs_is_flat_at_zero) {
  check("abs", {{-2, 0, 2, kNan}}, of_one(abs), {2, 0, 2, kNan}, {{-1, 0, 1, kNan}});
}

BOOST_AUTO_TEST_CASE(roots_at_zero_and_below) {
  check("sqrt", {{0, 4, -1, kNan}}, of_one(sqrt), {0, 2, kNan, kNan}, {{kInf, 0.25, kNan, kNan}});
  check("rsqrt", {{0, 4, -1, kInf}}, of_one(rsqrt), {kInf, 0.5, kNan, 0}, {{-kInf, -0.0625, kNan, 0}});
}

BOOST_AUTO_TEST_CASE(powers_at_zero_and_below) {
  check("x^0", {{0, -2, kNan, kInf}}, power(0), {1, 1, 1, 1}, {{0, 0, 0, 0}});
  check("x^1", {{0, -2, kNan}}, power(1), {0, -2, kNan}, {{1, 1, 1}});
  check("x^2", {{0, -2, kNan}}, power(2), {0, 4, kNan}, {{0, -4, kNan}});
  check("x^3", {{0, -2, kNan}}, power(3), {0, -8, kNan}, {{0, 12, kNan}});
  check("x^0.5", {{0, 4, -1}}, power(0.5), {0, 2, kNan}, {{kInf, 0.25, kNan}});
  check("x^-1", {{0, -2}}, power(-1), {kInf, -0.5}, {{-kInf, -0.25}});
  check("0^x", {{2, 0, -1, kNan}}, [](const Tensors& in) { return pow(0, in[0]); }, {0, 1, kInf, kNan},
        {{0, 0, -kInf, kNan}});
  check("1^x", {{2, kNan}}, [](const Tensors& in) { return pow(1, in[0]); }, {1, 1}, {{0, 0}});
  check("a^b", {{0, 0, 0, 2, -2}, {2, 0, -1, 0, 2}}, of_two(pow), {0, 1, kInf, 1, 4},
        {{0, 0, -kInf, 0, -4}, {0, 0, -kInf, std::log(2.0), kNan}});
}

BOOST_AUTO_TEST_CASE(equals_share_the_gradient_of_their_minimum) {
  const Arrays in{{1, 2, 3, kNan, 1}, {2, 2, 2, 1, kNan}};
  check("minimum", in, of_two(minimum), {1, 2, 2, kNan, kNan}, {{1, 0.5, 0, 1, 1}, {0, 0.5, 1, 1, 1}});
  check("maximum", in, of_two(maximum), {2, 2, 3, kNan, kNan}, {{0, 0.5, 1, 1, 1}, {1, 0.5, 0, 1, 1}});
}

// Naively, e^x overflows above 709, and ln(1 + e^x) loses all digits below −37.
BOOST_AUTO_TEST_CASE(softplus_and_silu_far_from_zero) {
  check("softplus", {{-1000, -50, 1000, kInf, -kInf, kNan}}, of_one(softplus),
        {0, std::exp(-50), 1000, kInf, 0, kNan}, {{0, 1 / (1 + std::exp(50)), 1, 1, 0, kNan}});
  check("silu", {{-1000, 1000, kNan}}, of_one(silu), {-0.0, 1000, kNan}, {{0, 1, kNan}});
}

BOOST_AUTO_TEST_CASE(where_ignores_the_other_side) {
  const Function f = [](const Tensors& in) { return where(in[0].detach(), in[1], in[2]); };
  check("where", {{1, 0, -1, kNan}, {1, kNan, kInf, 4}, {kNan, 2, 3, kInf}}, f, {1, 2, kInf, 4}, {});
  // The slope of √x at 0 is infinite: it does not reach x, as a NaN, by a factor of 0.
  check("where, an infinite gradient", {{0, 4}},
        [](const Tensors& in) { return sqrt(where(greater(in[0], 0), in[0], 0)); }, {0, 2}, {{0, 0.25}});
}

BOOST_AUTO_TEST_CASE(comparisons_are_constants) {
  const Tensor a = Tensor::from(Values{1, 2, 3, kNan}, {4}).set_requires_grad();
  const Tensor b = Tensor::from(Values{2, 2, 2, kNan}, {4}).set_requires_grad();
  const struct {
    const char* name;
    Tensor result, with_two;
    Values wanted;
  } comparisons[] = {
      {"less", less(a, b), less(a, 2), {1, 0, 0, 0}},
      {"less_equal", less_equal(a, b), less_equal(a, 2), {1, 1, 0, 0}},
      {"greater", greater(a, b), greater(a, 2), {0, 0, 1, 0}},
      {"greater_equal", greater_equal(a, b), greater_equal(a, 2), {0, 1, 1, 0}},
      {"equal", equal(a, b), equal(a, 2), {0, 1, 0, 0}},
      {"not_equal", not_equal(a, b), not_equal(a, 2), {1, 0, 1, 1}},
  };
  for (const auto& c : comparisons) {
    BOOST_TEST(same(c.result.to_vector<double>(), c.wanted), c.name);
    BOOST_TEST(same(c.with_two.to_vector<double>(), c.wanted), c.name << " with a number");
  }
  BOOST_TEST(same(sign(a - 2).to_vector<double>(), {-1, 0, 1, kNan}));

  Tape tape;
  const Recording on(tape);
  for (const Tensor& y : {less(a, b), equal(a, 2), sign(a)}) BOOST_TEST(!tape.has(y));
  BOOST_TEST(tape.size() == 0u);
}

BOOST_AUTO_TEST_CASE(numbers_take_the_type_of_the_tensor) {
  const Tensor x = Tensor::full({2}, 0.5);
  for (const Tensor& y : {x + 1, 1 + x, x - 1, 1 - x, x * 2, 2 * x, x / 2, 2 / x, pow(x, 2), pow(2, x),
                          less(x, 1), where(x, x, 0), x + 0.1f, x + int64_t{3}})
    BOOST_TEST((y.dtype() == DType::f32));
  BOOST_TEST((2 / (1 - x / 2) + 1 - 0.5).to_vector<float>()[0] == 2 / (1 - 0.5f / 2) + 1 - 0.5f);
  BOOST_TEST(error_of([&] { x.to(DType::i32) + 1; }) ==
             "add: got a tensor of i32, needs f32 or f64 (convert with .to(DType::f32))");
}

BOOST_AUTO_TEST_CASE(wrong_shapes_and_types_are_named) {
  const auto f32 = [](const Shape& shape) { return Tensor::zeros(shape); };
  BOOST_TEST(error_of([&] {
               where(f32({2}), f32({2, 3}), f32({3}));
             }) ==
             "where: [2] and [2,3] do not broadcast: sizes 2 and 3 differ and neither is 1 "
             "(reshape one, or add dimensions of size 1 to it)");
  BOOST_TEST(error_of([&] { maximum(f32({2}), f32({3})); }) ==
             "maximum: [2] and [3] do not broadcast: sizes 2 and 3 differ and neither is 1 "
             "(reshape one, or add dimensions of size 1 to it)");
  BOOST_TEST(error_of([&] { where(f32({2}).to(DType::u8), f32({2}), f32({2})); }) ==
             "where: f32 [2] with u8 [2]: one type is needed (convert with .to(DType::f32))");
  BOOST_TEST(error_of([&] { clamp(f32({2}), kNan, 1); }) ==
             "clamp: low nan, high 1: a NaN is no limit (give -INFINITY or INFINITY for none)");
  for (const Device d : available_devices()) {  // without elements, too
    const Tensor none = Tensor::zeros({0}, DType::i32, d);
    BOOST_TEST(error_of([&] { less(none, none); }) ==
               "less: got a tensor of i32, needs f32 or f64 (convert with .to(DType::f32))");
  }
  BOOST_TEST(error_of([&] { less(f32({2}), f32({2}).to(DType::f64)); }) ==
             "less: f32 [2] with f64 [2]: one type is needed (convert with .to(DType::f32))");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
