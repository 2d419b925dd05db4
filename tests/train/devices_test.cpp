// Whole models on every device of this build and machine: what the CPU trains, the others train.
#include <boost/test/unit_test.hpp>

#include "tests/models/model_support.h"
#include "tests/ops/op_checks.h"
#include "tests/support.h"
#include "train/trainer.h"

namespace fade {
namespace {

using test::largest_difference;

Config small_run(const test::TempDir& dir, Device device) {
  const auto text = test::random_text(3000, test::small_model().vocab);
  Config c;
  c.model = test::small_model();
  c.model.dropout = 0.1;
  c.model.span.noisy = true;
  c.data.path = dir.write("text", {reinterpret_cast<const char*>(text.data()), text.size()});
  c.data.split = {90, 10, 0};
  c.data.vocab = c.model.vocab;
  c.device = device == Device::cpu ? DeviceChoice::cpu : DeviceChoice::cuda;
  c.train.batch = 2;
  c.train.steps = 50;
  c.train.optimizer.lr = 3e-3;
  c.train.schedule.warmup = 10;
  return c;
}

std::vector<double> train(Trainer& trainer, int steps) {
  std::vector<double> bits;
  for (int i = 0; i < steps; ++i) bits.push_back(trainer.step().bits);
  return bits;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(devices)

// Dropout and span noise included: they are the same numbers on every device. In f64 rounding grows by a
// factor of some hundred over fifty updates; a row forgotten a block early or late would be seen.
BOOST_AUTO_TEST_CASE(fifty_steps_give_the_same_model) {
  const test::TempDir dir;
  for (const AttentionPath path : {AttentionPath::fused, AttentionPath::composed})
    for (const Precision dtype : {Precision::f64, Precision::f32}) {
      std::vector<double> bits, values;  // the CPU's, which comes first
      double rows = 0;
      for (const Device device : test::available_devices()) {
        Config c = small_run(dir, device);
        c.dtype = dtype;
        c.model.attention = path;
        const Corpus corpus(c.data);
        Trainer trainer(c, corpus);
        const auto found = train(trainer, 49);
        const Trainer::Step last = trainer.step();
        const auto weights = test::all_values(trainer.model());
        if (device == Device::cpu) {
          bits = found;
          values = weights;
          rows = last.mean_rows;
          continue;
        }
        const double tolerance = dtype == Precision::f64 ? 1e-9 : 2e-3;
        BOOST_TEST(largest_difference(found, bits) < tolerance);
        BOOST_TEST(largest_difference(weights, values) < tolerance);
        if (dtype == Precision::f64) BOOST_TEST(last.mean_rows == rows);
        BOOST_TEST((trainer.model().device() == device));
      }
    }
}

BOOST_AUTO_TEST_CASE(every_kind_gives_the_same_model) {
  const test::TempDir dir;
  for (const Kind kind : {Kind::transformer_xl, Kind::adaptive_span, Kind::compressive})
    for (const CompressKind compress : {CompressKind::mean, CompressKind::conv})
      for (const AttentionPath path : {AttentionPath::fused, AttentionPath::composed}) {
        if (kind != Kind::compressive && compress == CompressKind::conv) continue;
        std::vector<double> expected;
        for (const Device device : test::available_devices()) {
          Config c = small_run(dir, device);
          c.dtype = Precision::f64;
          c.model.kind = kind;
          c.model.attention = path;
          c.model.compress = {.kind = compress, .rate = 4, .slots = 5};
          const Corpus corpus(c.data);
          Trainer trainer(c, corpus);
          train(trainer, 15);
          const auto weights = test::all_values(trainer.model());
          if (device == Device::cpu)
            expected = weights;
          else
            BOOST_TEST_CONTEXT(name_of(kind) << ", " << name_of(compress) << ", " << name_of(path))
          BOOST_TEST(largest_difference(weights, expected) < 1e-9);
        }
      }
}

BOOST_AUTO_TEST_CASE(a_run_repeats_and_resumes_bit_by_bit) {
  const test::TempDir dir;
  for (const Device device : test::available_devices()) {
    const Config c = small_run(dir, device);
    const Corpus corpus(c.data);
    Trainer straight(c, corpus), again(c, corpus), resumed(c, corpus);
    const auto first = train(straight, 12);
    BOOST_TEST((train(again, 12) == first));
    const std::string run = dir.path(name_of(device));
    straight.save(run);
    resumed.restore(read_checkpoint(run));
    BOOST_TEST((train(straight, 12) == train(resumed, 12)));
    BOOST_TEST((test::all_values(straight.model()) == test::all_values(resumed.model())));
    BOOST_TEST(straight.validate().bits_per_byte == resumed.validate().bits_per_byte);
  }
}

// A checkpoint belongs to no device.
BOOST_AUTO_TEST_CASE(a_checkpoint_of_one_device_goes_on_with_another) {
  const test::TempDir dir;
  const auto devices = test::available_devices();
  Config c = small_run(dir, devices.back());
  c.dtype = Precision::f64;
  const Corpus corpus(c.data);
  Trainer there(c, corpus);
  train(there, 5);
  there.save(dir.path("run"));
  c.device = DeviceChoice::cpu;
  Trainer here(c, corpus);
  here.restore(read_checkpoint(dir.path("run")));
  BOOST_TEST(largest_difference(train(there, 5), train(here, 5)) < 1e-10);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
