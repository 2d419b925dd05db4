// Loss curves of 500 steps: a model learns alike in every precision. Takes a minute on the emulated device, and many with
// its accesses checked: scripts/test.sh leaves it to `scripts/test.sh emulate` and to a GPU.
#include <boost/test/unit_test.hpp>
#include <numeric>

#include "tests/small_training.h"

namespace fade {
namespace {

// Facts to be remembered among noise, as configs/recall.yaml in small: 7 bits at first, 3 when all is learned.
Config recall_config(Device device, ProductChoice precision) {
  Config c;
  c.model.kind = Kind::expire_span;
  c.model.layers = 1;
  c.model.hidden = 32;
  c.model.ff = 64;
  c.model.heads = 1;
  c.model.block = 64;
  c.model.max_span = 32;
  c.model.dropout = 0.1;
  c.model.span = {.ramp = 8, .loss = 1e-5, .pre_div = 1, .init = 0.2, .noisy = false};
  c.model.vocab = c.data.vocab = 128;
  c.data.kind = DataKind::recall;
  c.data.recall.bytes = 100'000;
  c.device = device == Device::cpu ? DeviceChoice::cpu : DeviceChoice::cuda;
  c.precision = precision;
  c.train.batch = 1;
  c.train.steps = 500;
  c.train.optimizer.lr = 4e-3;
  c.train.schedule = {.kind = ScheduleKind::cosine, .warmup = 20, .final = 0.05};
  return c;
}

double mean(std::span<const double> x) {
  return std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
}

std::vector<double> loss_curve(Device device, ProductChoice precision) {
  const Config c = recall_config(device, precision);
  const test::ProcessAs as(c);
  const Corpus corpus(c.data);
  Trainer trainer(c, corpus);
  return test::train(trainer, c.train.steps);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(loss_curves)

// Rounding changes single losses, but not how fast a model learns. (With weights that were kept in bf16, it would
// end 0.03 bits higher.)
BOOST_AUTO_TEST_CASE(all_learn_alike) {
  const auto exact = loss_curve(Device::cpu, ProductChoice::f32);
  const auto end = [](const std::vector<double>& curve) { return mean(std::span(curve).last(50)); };
  BOOST_TEST(mean(std::span(exact).first(10)) - end(exact) > 2);
  if (!has_backend(Device::cuda)) return;
  std::vector<double> before = exact;
  for (const ProductChoice precision : {ProductChoice::f32, ProductChoice::tf32, ProductChoice::bf16}) {
    const auto curve = loss_curve(Device::cuda, precision);
    BOOST_TEST_MESSAGE(name_of(precision)
                       << ": " << end(curve) - end(exact) << " bits above the CPU's " << end(exact));
    BOOST_TEST(std::abs(end(curve) - end(exact)) < 0.02, name_of(precision) << ": " << end(curve));
    BOOST_TEST((curve != before));
    before = curve;
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
