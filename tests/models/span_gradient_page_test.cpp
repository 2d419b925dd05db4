// The numbers of docs/span_gradient.md and of ops/masked_renorm/masked_renorm.md, which has the same example,
// computed by the operations that the pages name.
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "engine/tape.h"
#include "ops/elementwise/elementwise.h"
#include "ops/expire_mask/expire_mask.h"
#include "ops/masked_renorm/masked_renorm.h"
#include "ops/reduce/reduce.h"
#include "ops/span_loss/span_loss.h"
#include "tests/page.h"

namespace fade::test {
namespace {

constexpr double kMaxSpan = 4, kPrice = 0.1;
constexpr int kRamp = 2, kBlock = 1;

std::vector<double> values(const Tensor& t) { return t.to_vector<double>(); }
void page_says(const std::string& words) { test::page_says("docs/span_gradient.md", words); }

/// Row 0 at distance 2 with a span of 1.5, row 1 at distance 1 with a span of 3.
struct Example {
  Tensor z =
      Tensor::from(std::vector<double>{std::log(1.5 / 2.5), std::log(3.0)}, {1, 2}).set_requires_grad();
  Tensor age = Tensor::from(std::vector<int32_t>{2, 1}, {1, 2});
  Tensor a = Tensor::from(std::vector<double>{0.6, 0.4}, {1, 1, 1, 2});
  Tensor v = Tensor::from(std::vector<double>{2, -1}, {1, 1, 1, 2});
};

}  // namespace

BOOST_AUTO_TEST_SUITE(span_gradient_page)

BOOST_AUTO_TEST_CASE(term_by_term) {
  const Example in;
  const Tensor e = sigmoid(in.z) * kMaxSpan;
  const Tensor m = Tensor::from(values(expire_mask(e, in.age, kBlock, kRamp)), {1, 1, 2}).set_requires_grad();
  const Recording on;
  const Tensor w = masked_renorm(in.a, m);
  const std::vector<double> faded = values(w), mask = values(m);
  backward(sum(w * in.v));
  const std::vector<double> dm = values(m.grad());

  const double den = 0.6 * mask[0] + 0.4 * mask[1], G = 2 * faded[0] - 1 * faded[1];
  const double direct = 0.6 * 2 / den, renormalisation = -0.6 * G / den;
  page_says(fmt::format("m = ({:g}, {:g})", mask[0], mask[1]));
  page_says(fmt::format("den = 0.6·0.75 + 0.4·1 = {:g}, and w = (0.45, 0.4)/0.85 = ({:.6f}, {:.6f})", den,
                        faded[0], faded[1]));
  page_says(fmt::format("G = 2·{:.6f} - 1·{:.6f} = {:.6f}", faded[0], faded[1], G));
  page_says(
      fmt::format("Direct: 0.6·2/0.85 = {:.6f}. Renormalisation: -0.6·{:.6f}/0.85 = {:.6f}. dm₀ = {:.6f}",
                  direct, G, renormalisation, dm[0]));
  BOOST_TEST(std::abs(direct + renormalisation - dm[0]) < 1e-7);  // the 1e-8 in den
  page_says(fmt::format("Times 1/R = 1/2: {:.6f} and {:.6f}", direct / kRamp, renormalisation / kRamp));
  const auto of_operation = [](const std::string& words) {
    test::page_says("ops/masked_renorm/masked_renorm.md", words);
  };
  of_operation(fmt::format("Z = 0.6·0.75 + 0.4·1 = {:g} w = ({:.6f}, {:.6f})", den, faded[0], faded[1]));
  of_operation(fmt::format("G = 2·{:.6f} - 1·{:.6f} = {:.6f}", faded[0], faded[1], G));
  of_operation(fmt::format("| row 0 | {:.6f} | {:.6f} | {:.6f} |", direct, renormalisation, dm[0]));
  of_operation(fmt::format("| row 1 | {:.6f} | {:.6f} | {:.6f} |", 0.4 * -1 / den, -0.4 * G / den, dm[1]));
  of_operation(fmt::format("0.75·{:.6f} - {:.6f} = 0", dm[0], -dm[1]));
  BOOST_TEST(std::abs(mask[0] * dm[0] + mask[1] * dm[1]) < 1e-7);
  page_says(fmt::format("dm₁ = 0.4·(-1 - {:.6f})/0.85 = {:.6f}", G, dm[1]));
}

BOOST_AUTO_TEST_CASE(from_the_tape) {
  const Example in;
  Tensor dz;
  const auto gradient = [&](auto loss) {  // with respect to e, of both rows
    in.z.zero_grad();
    const Recording on;
    backward(loss(sigmoid(in.z) * kMaxSpan));
    dz = in.z.grad();
    const std::vector<double> slope{4 * 0.375 * 0.625, 4 * 0.75 * 0.25};
    return std::vector{values(dz)[0] / slope[0], values(dz)[1] / slope[1]};
  };
  const auto attention = [&](const Tensor& e) {
    return sum(masked_renorm(in.a, expire_mask(e, in.age, kBlock, kRamp)) * in.v);
  };
  const auto price = [&](const Tensor& e) { return span_loss(e, in.age, kBlock, kRamp, kPrice); };
  page_says(fmt::format("The price: 0.1/(2·1·1)·1 = {:g}", gradient(price)[0]));
  const auto de = gradient([&](const Tensor& e) { return attention(e) + price(e); });
  page_says(fmt::format("de₀ = 0.705882 - 0.207612 + 0.05 = {:.6f}", de[0]));
  page_says(fmt::format("dz₀ = {:.6f}·0.9375 = {:.6f}", de[0], values(dz)[0]));
  BOOST_TEST(de[1] == 0.0);
  page_says("de₁ is exactly 0");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
