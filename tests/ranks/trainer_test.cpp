// A model in training by several ranks, on every device: the figures of one process, and its state.
#include "train/trainer.h"

#include <boost/test/unit_test.hpp>

#include "tests/ranks/ranks.h"
#include "tests/support.h"
#include "train/config/file.h"
#include "train/follow.h"
#include "train/job.h"

namespace fade::test {
namespace {

constexpr const char* kModel = R"(
model: {kind: expire_span, layers: 2, hidden: 32, ff: 32, heads: 2, block: 8, max_span: 32, dropout: 0.1,
        span: {ramp: 4, pre_div: 1, init: 0.3, noisy: true}}
train: {batch: 4, turns: 2, steps: 100, clip: 0.1, input_noise: 0.1, optimizer: {lr: 0.01}, schedule: {warmup: 0}}
data: {vocab: 128, path: )";

Config config_in(const TempDir& dir) {
  std::string text;
  for (int i = 0; i < 400; ++i) text += fmt::format("{} bottles on the wall, ", i);
  const std::string path = dir.write("text", text);
  return parse_config(kModel + path + "}\n", "the test's configuration");
}

/// Rank 0 leads, the others follow; as in a run.
template <class F>
void lead(Trainer& trainer, const F& f) {
  if (!ranks().leads()) return follow(trainer);
  const Leading leading(ranks());
  f();
}

// Steps of several ranks and of one process, one of them resumed from the other when one set of streams has read a block more.
void check(DeviceChoice device, Precision dtype, ProductChoice precision, double tolerance) {
  const TempDir dir;
  Config config = config_in(dir);
  config.device = device;
  config.dtype = dtype;  // (f64 on device cuda is for tests)
  config.precision = precision;
  const Corpus corpus(config.data);
  Trainer trainer(config, corpus, ranks());
  lead(trainer, [&] {
    Trainer alone(config, corpus);
    for (int i = 0; i < 3; ++i) {
      const Trainer::Step expected = alone.step(), found = trainer.step();
      BOOST_TEST(found.bits == expected.bits, boost::test_tools::tolerance(tolerance));
      BOOST_TEST(found.grad_norm == expected.grad_norm, boost::test_tools::tolerance(30 * tolerance));
      BOOST_TEST(*found.mean_span == *expected.mean_span, boost::test_tools::tolerance(tolerance));
    }
    const TrainState state = trainer.state();
    BOOST_TEST(state.position.turn == 1);
    for (const Memory& memory : state.memories) {
      BOOST_TEST(memory.streams() == 4);
      BOOST_TEST(memory[0].rows.numel() > 0);
    }
    // One process goes on from there, and so do the ranks, from the memory of all streams.
    Trainer resumed(config, corpus);
    resumed.restore(state);
    const Trainer::Step expected = resumed.step();
    trainer.restore(state);
    const Trainer::Step found = trainer.step();
    BOOST_TEST(found.bits == expected.bits, boost::test_tools::tolerance(tolerance));
    BOOST_TEST(found.mean_rows == expected.mean_rows, boost::test_tools::tolerance(100 * tolerance));
  });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(trainer_of_ranks)

BOOST_AUTO_TEST_CASE(on_the_cpu) { check(DeviceChoice::cpu, Precision::f64, ProductChoice::f32, 1e-12); }

BOOST_AUTO_TEST_CASE(on_device_cuda) {
  if (!has_backend(Device::cuda)) return;
  check(DeviceChoice::cuda, Precision::f64, ProductChoice::f32, 1e-10);
  check(DeviceChoice::cuda, Precision::f32, ProductChoice::bf16, 2e-3);
}

BOOST_AUTO_TEST_CASE(weights_that_are_not_the_same_are_found) {
  Tensor weights = Tensor::full({3}, 1, DType::f64);
  const auto compare = [&] {
    require_same("the weights", {{"w", weights}}, "continue from a checkpoint", ranks());
  };
  compare();
  if (ranks().rank() == 1) weights.mutate<double>()[2] = 1 + 0x1p-52;
  const std::string message = error_of<Error>(compare);
  BOOST_TEST(contains(message, "the hash of the weights: "), message);
  BOOST_TEST(contains(message, "on rank 1 on "), message);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
