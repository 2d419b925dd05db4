// The precisions of a run: what is in which type, and checkpoints from one to another.
#include <boost/test/unit_test.hpp>

#include "tests/ops/op_checks.h"
#include "tests/small_training.h"
#include "train/checkpoint/checkpoint.h"
#include "train/config/file.h"
#include "train/config/resolve.h"
#include "train/forward_backward.h"

namespace fade {
namespace {

using test::largest_difference, test::train;

Config config_of(const test::TempDir& dir, Device device, ProductChoice precision) {
  Config c = test::small_noisy_config(dir, 3000);
  c.device = device == Device::cpu ? DeviceChoice::cpu : DeviceChoice::cuda;
  c.precision = precision;
  return c;
}

constexpr ProductChoice kPrecisions[] = {ProductChoice::f32, ProductChoice::tf32, ProductChoice::bf16};

}  // namespace

BOOST_AUTO_TEST_SUITE(precision)

// Composed attention, in TF32. Losses of about 4 bits; factors are rounded by up to 5e-4 of their size.
BOOST_AUTO_TEST_CASE(tf32_is_close_in_composed_attention) {
  const test::TempDir dir;
  const auto bits = [&](Device device, ProductChoice precision) {
    Config c = config_of(dir, device, precision);
    c.model.attention = AttentionPath::composed;
    c.train.schedule.warmup = 10;
    const test::ProcessAs as(c);
    const Corpus corpus(c.data);
    Trainer trainer(c, corpus);
    return train(trainer, 50);
  };
  const auto expected = bits(Device::cpu, ProductChoice::f32);
  BOOST_TEST((bits(Device::cpu, ProductChoice::tf32) == expected));
  if (!has_backend(Device::cuda)) return;
  const double difference = largest_difference(bits(Device::cuda, ProductChoice::tf32), expected);
  BOOST_TEST(difference < 0.02);
  BOOST_TEST(difference > 1e-6);
}

BOOST_AUTO_TEST_CASE(bf16_is_for_activations_on_cuda) {
  const test::TempDir dir;
  for (const Device device : test::available_devices()) {
    const Config c = config_of(dir, device, ProductChoice::bf16);
    const DType rows = device == Device::cuda ? DType::bf16 : DType::f32;
    const Transformer model(c.model, types_for(c, device), device, 1);
    Memory memory = model.empty_memory(1);
    StepReport report;
    const Tensor tokens = Tensor::zeros({1, 4}, DType::i32, device);
    const Tensor logits = model.forward(tokens, memory, {}, report);
    memory.drop_forgotten();
    BOOST_TEST((logits.dtype() == DType::f32));
    BOOST_TEST((report.spans.front().dtype() == DType::f32));
    BOOST_TEST((memory[0].rows.dtype() == rows));
    BOOST_TEST(memory[0].count() == 4);
    for (const Parameter& p : model.parameters().all()) BOOST_TEST((p.value().dtype() == DType::f32));
  }
}

// So that `--device cpu` resumes, evaluates and samples from what was trained on a GPU.
BOOST_AUTO_TEST_CASE(the_cpu_computes_in_f32_all_the_same) {
  for (const ProductChoice precision : kPrecisions) {
    const Config c = parse_config("device: cpu", "c", {fmt::format("precision={}", name_of(precision))});
    BOOST_TEST(!types_for(c, Device::cpu).mixed());
    BOOST_TEST(precision_name(c, Device::cpu) == "f32");
    BOOST_TEST(precision_name(c, Device::cuda) == name_of(precision));
  }
}

// A bf16 run goes on bit by bit. Elsewhere its rows, and rows of f32 in a bf16 run, are converted.
BOOST_AUTO_TEST_CASE(a_checkpoint_resumes_in_any_precision) {
  if (!has_backend(Device::cuda)) return;
  const test::TempDir dir;
  const auto trainer_of = [&](Device device, ProductChoice precision, const Corpus& corpus) {
    return Trainer(config_of(dir, device, precision), corpus);
  };
  const Corpus corpus(config_of(dir, Device::cpu, ProductChoice::f32).data);
  Trainer mixed = trainer_of(Device::cuda, ProductChoice::bf16, corpus);
  train(mixed, 5);
  test::save(mixed, dir.path("bf16"));
  const auto rows = [](const Trainer& t) { return t.state().memories[0][1].rows; };
  const auto values = [](const Tensor& t) { return t.to(DType::f32).to(Device::cpu).to_vector<float>(); };
  BOOST_TEST((rows(mixed).dtype() == DType::bf16));
  BOOST_TEST(rows(mixed).numel() > 0);

  Trainer on_cpu = trainer_of(Device::cpu, ProductChoice::bf16, corpus);
  test::resume(on_cpu, dir.path("bf16"));
  BOOST_TEST((rows(on_cpu).dtype() == DType::f32));
  BOOST_TEST((values(rows(on_cpu)) == values(rows(mixed))));
  test::save(on_cpu, dir.path("f32"));

  Trainer again = trainer_of(Device::cuda, ProductChoice::bf16, corpus);
  test::resume(again, dir.path("f32"));
  BOOST_TEST((train(again, 3) == train(mixed, 3)));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
