// model.recompute: layers that are computed again in backward change no bit of a training step.
#include <boost/test/unit_test.hpp>

#include "engine/alloc.h"
#include "engine/tape.h"
#include "ops/cross_entropy/cross_entropy.h"
#include "ops/elementwise/elementwise.h"
#include "tests/models/model_support.h"
#include "tests/ops/op_checks.h"

namespace fade::test {
namespace {

// Losses, spans and memory of two blocks with dropout, and the gradients of both, one after another.
std::vector<double> training(ModelConfig config, bool recompute, Device device,
                             NumberTypes types = DType::f32) {
  config.recompute = recompute;
  config.dropout = 0.2;
  const Transformer model(config, types, device, 3);
  vary_spans(model);
  Generator random(7);
  Memory memory = model.empty_memory(2);
  std::vector<double> all;
  const auto add = [&](const Tensor& t) {
    const auto values = t.detach().to(DType::f64).to_vector<double>();
    all.insert(all.end(), values.begin(), values.end());
  };
  const auto text = random_text(static_cast<size_t>(8 * config.block), config.vocab);
  for (int64_t step = 0; step < 2; ++step) {
    const Recording on;
    StepReport report;
    const Tensor x = block_at(text, 2, config.block, step).to(device);
    const Tensor logits = model.forward(x, memory, {.training = true, .random = &random}, report);
    memory.drop_forgotten();
    Tensor loss = cross_entropy(logits, x.view({x.numel()}));
    if (report.aux) loss = loss + report.aux;
    backward(loss);
    add(loss);
    if (const Tensor span = report.mean_span()) add(span);
  }
  for (const Tensor& leaf : model.parameters().leaves())
    if (const Tensor grad = leaf.grad()) add(grad);
  for (size_t l = 0; l < memory.layers(); ++l) {
    add(memory[l].rows);
    add(memory[l].age);
  }
  return all;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(model_recompute)

BOOST_AUTO_TEST_CASE(every_kind_trains_as_without) {
  std::vector<std::pair<const char*, ModelConfig>> models = windowed_models();
  models.emplace_back("expire_span", small_model());
  models.emplace_back("expire_span, pre-norm, noisy, qk-norm", small_model(true));
  models.back().second.span.noisy = true;
  models.back().second.qk_norm = true;
  models.emplace_back("expire_span, composed", small_model());
  models.back().second.attention = AttentionPath::composed;
  for (const Device device : available_devices())
    for (const auto& [name, config] : models)
      BOOST_TEST((training(config, true, device) == training(config, false, device)),
                 name << " on " << name_of(device));
}

BOOST_AUTO_TEST_CASE(bf16_trains_as_without) {
  if (!has_backend(Device::cuda)) return;
  ModelConfig config = small_model();
  config.qk_norm = true;
  const auto all = [&](bool recompute) {
    return training(config, recompute, Device::cuda, {DType::f32, DType::bf16});
  };
  BOOST_TEST((all(true) == all(false)));
}

// Eight layers, of which one at a time is computed again.
BOOST_AUTO_TEST_CASE(less_memory_is_in_use) {
  const auto peak = [](bool recompute) {
    ModelConfig config = small_model();
    config.layers = 8;
    config.block = 128;
    const int64_t before = memory_stats(Device::cpu).live;
    reset_peak(Device::cpu);
    training(config, recompute, Device::cpu);
    return memory_stats(Device::cpu).peak - before;
  };
  const int64_t with = peak(true), without = peak(false);
  BOOST_TEST(3 * with < 2 * without, with << " bytes, without " << without);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
