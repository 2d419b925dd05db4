// Whole models on every device of this build and machine: all devices train the same model.
#include <boost/test/unit_test.hpp>

#include "models/kinds.h"
#include "tests/ops/op_checks.h"
#include "tests/small_training.h"

namespace fade {
namespace {

using test::all_values, test::largest_difference, test::resume, test::save, test::train;

Config config_on(const test::TempDir& dir, Device device) {
  Config c = test::small_noisy_config(dir, 3000);
  c.device = device == Device::cpu ? DeviceChoice::cpu : DeviceChoice::cuda;
  c.train.steps = 50;
  c.train.schedule.warmup = 10;
  return c;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(devices)

// Dropout and span noise are on: they draw the same numbers on every device. In f64, rounding grows by a
// factor of some hundred over fifty updates; a row forgotten one
// block early or late would exceed the tolerance.
BOOST_AUTO_TEST_CASE(fifty_steps_give_the_same_model) {
  const test::TempDir dir;
  for (const AttentionPath path : {AttentionPath::fused, AttentionPath::composed})
    for (const Precision dtype : {Precision::f64, Precision::f32}) {
      std::vector<double> bits, values;  // the CPU's, which comes first
      double rows = 0;
      for (const Device device : test::available_devices()) {
        Config c = config_on(dir, device);
        c.dtype = dtype;
        c.model.attention = path;
        const Corpus corpus(c.data);
        Trainer trainer(c, corpus);
        const auto found = train(trainer, 49);
        const Trainer::Step last = trainer.step();
        const auto weights = all_values(trainer);
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
  for (const KindInfo& kind : kKinds)
    for (const CompressKind compress : {CompressKind::mean, CompressKind::conv})
      for (const AttentionPath path : {AttentionPath::fused, AttentionPath::composed}) {
        if (kind.kind != Kind::compressive && compress == CompressKind::conv) continue;
        std::vector<double> expected;
        for (const Device device : test::available_devices()) {
          Config c = config_on(dir, device);
          c.dtype = Precision::f64;
          c.model.kind = kind.kind;
          c.model.attention = path;
          c.model.compress = {.kind = compress, .rate = 4, .slots = 5};
          const Corpus corpus(c.data);
          Trainer trainer(c, corpus);
          train(trainer, 15);
          const auto weights = all_values(trainer);
          if (device == Device::cpu) {
            expected = weights;
            continue;
          }
          BOOST_TEST(largest_difference(weights, expected) < 1e-9,
                     kind.name << ", " << name_of(compress) << ", " << name_of(path));
        }
      }
}

BOOST_AUTO_TEST_CASE(a_run_repeats_and_resumes_bit_by_bit) {
  const test::TempDir dir;
  for (const Device device : test::available_devices()) {
    const Config c = config_on(dir, device);
    const Corpus corpus(c.data);
    Trainer straight(c, corpus), again(c, corpus), resumed(c, corpus);
    const auto first = train(straight, 12);
    BOOST_TEST((train(again, 12) == first));
    const std::string run = dir.path(name_of(device));
    save(straight, run);
    resume(resumed, run);
    BOOST_TEST((train(straight, 12) == train(resumed, 12)));
    BOOST_TEST((all_values(straight) == all_values(resumed)));
    BOOST_TEST(straight.validate().bits_per_byte == resumed.validate().bits_per_byte);
  }
}

// Checkpoints do not depend on the device.
BOOST_AUTO_TEST_CASE(a_checkpoint_of_one_device_resumes_on_another) {
  const test::TempDir dir;
  const auto devices = test::available_devices();
  Config c = config_on(dir, devices.back());
  c.dtype = Precision::f64;
  const Corpus corpus(c.data);
  Trainer there(c, corpus);
  train(there, 5);
  save(there, dir.path("run"));
  c.device = DeviceChoice::cpu;
  Trainer here(c, corpus);
  resume(here, dir.path("run"));
  BOOST_TEST(largest_difference(train(there, 5), train(here, 5)) < 1e-10);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
