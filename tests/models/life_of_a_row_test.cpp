// The numbers of docs/life_of_a_row.md, computed by the operations that the page names.
#include <boost/test/unit_test.hpp>

#include "engine/tape.h"
#include "ops/elementwise/elementwise.h"
#include "ops/expire_mask/expire_mask.h"
#include "ops/masked_renorm/masked_renorm.h"
#include "ops/reduce/reduce.h"
#include "ops/span_loss/span_loss.h"
#include "ops/survivors/survivors.h"
#include "tests/page.h"

namespace fade::test {
namespace {

constexpr int kMaxSpan = 64, kRamp = 8, kBlock = 16, kWritten = 3;

double span_of(double logit) { return kMaxSpan / (1 + std::exp(-logit)); }

std::vector<double> values(const Tensor& t) { return t.to_vector<double>(); }

void page_says(const std::string& words) { test::page_says("docs/life_of_a_row.md", words); }

}  // namespace

BOOST_AUTO_TEST_SUITE(life_of_a_row)

BOOST_AUTO_TEST_CASE(spans) {
  page_says(fmt::format("e = 64·sigmoid(-0.5) = {:.2f}", span_of(-0.5)));
  page_says(fmt::format("in block 2, e = {:.2f}", span_of(-0.45)));
}

BOOST_AUTO_TEST_CASE(the_ramp_and_its_gradient) {
  // Our row, of age 13, and the others as one row that every query sees in full.
  const Tensor z = Tensor::from(std::vector<double>{-0.5, 10}, {1, 2}).set_requires_grad();
  const Tensor age = Tensor::from(std::vector<int32_t>{kBlock - kWritten, 1}, {1, 2});
  std::vector<double> weights, push;
  for (int i = 0; i < kBlock; ++i) {
    const double on_ramp = i >= 12;
    weights.insert(weights.end(), {0.2, 0.8});
    push.insert(push.end(), {-0.010 * on_ramp, 0.002 * on_ramp});
  }
  const Tensor a = Tensor::from(weights, {1, 1, kBlock, 2}), g = Tensor::from(push, {1, 1, kBlock, 2});

  const Tensor mask = expire_mask(sigmoid(z) * kMaxSpan, age, kBlock, kRamp);
  const Tensor m = Tensor::from(values(mask), mask.shape()).set_requires_grad();
  Tensor w;
  {
    Recording on;
    w = masked_renorm(a, m);
    backward(sum(w * g));
  }
  double sum_of_dm = 0;
  for (size_t i = 12; i < kBlock; ++i) {
    const double r = span_of(-0.5) - static_cast<double>(13 + i), dm = values(m.grad())[2 * i];
    const double G = -0.010 * values(w)[2 * i] + 0.002 * values(w)[2 * i + 1];
    page_says(fmt::format("| {} | {} | {:.2f} | {:.3f} | {:.3f} | {:.6f} | {:.5f} |", 16 + i, 13 + i, r,
                          values(mask)[2 * i], values(w)[2 * i], G, dm));
    sum_of_dm += dm;
  }
  page_says(fmt::format("Σ dm/R = {:.5f}/8 = {:.5f}", sum_of_dm, sum_of_dm / kRamp));

  Recording on;
  const Tensor e = sigmoid(z) * kMaxSpan;
  const Tensor attention = sum(masked_renorm(a, expire_mask(e, age, kBlock, kRamp)) * g);
  backward(attention + span_loss(e, age, kBlock, kRamp, 0.001));
  page_says(fmt::format("dz = de·64·0.378·0.622 = {:.4f}", values(z.grad())[0]));
  page_says(fmt::format("Together de = {:.5f}",
                        values(z.grad())[0] / (span_of(-0.5) * (1 - span_of(-0.5) / kMaxSpan))));
}

BOOST_AUTO_TEST_CASE(the_second_ramp) {
  const Tensor e = Tensor::full({1, 1}, span_of(-0.45), DType::f64),
               age = Tensor::from(std::vector<int32_t>{2 * kBlock - kWritten}, {1, 1});
  const std::vector<double> m = values(expire_mask(e, age, kBlock, kRamp));
  page_says(fmt::format("with m = {:.3f}, {:.3f}, {:.3f} and {:.3f}", m[0], m[1], m[2], m[3]));
  BOOST_TEST(m[4] == 0.0);
  page_says("From distance 33 on, r < -R and m = 0.");
}

BOOST_AUTO_TEST_CASE(deletion) {
  const double logits[] = {-0.5, -0.5, -0.45};
  for (int block = 0; block < 3; ++block) {
    const double span = span_of(logits[block]);
    const int age = kBlock * block - kWritten, distance = age + kBlock;
    page_says(fmt::format("| {} | {:.2f} | {} + 16 = {} | {} |", block, span + kRamp, age, distance,
                          survives(span, kRamp, distance) ? "survives" : "is deleted"));
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
