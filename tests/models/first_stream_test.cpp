// StepOptions::first_stream: a stream draws the same dropout whichever streams are read with it. Models that read parts of
// the streams have the results of one that reads all, as the ranks of a run need.
#include <boost/test/unit_test.hpp>

#include "engine/tape.h"
#include "ops/cross_entropy/cross_entropy.h"
#include "ops/elementwise/elementwise.h"
#include "tests/models/model_support.h"
#include "tests/ops/op_checks.h"

namespace fade::test {
namespace {

constexpr int64_t kStreams = 4, kBlocks = 3;

// Logits of each block, [streams·M·V] per block and stream by stream, and the gradients of the blocks' mean losses.
struct Found {
  std::vector<double> logits[kBlocks], gradients;
};

// Reads streams [begin, end), numbered from `first` on.
Found read(const ModelConfig& config, Device device, int64_t begin, int64_t end, int64_t first) {
  const Transformer model(config, DType::f64, device, 3);
  vary_spans(model);
  const auto text = random_text(static_cast<size_t>(kStreams * kBlocks * config.block), config.vocab);
  Generator random(7);
  Memory memory = model.empty_memory(end - begin);
  Found found;
  for (int64_t step = 0; step < kBlocks; ++step) {
    const Recording on;
    StepReport report;
    const Tensor x = block_at(text, kStreams, config.block, step).rows(begin, end).to(device);
    const Tensor logits =
        model.forward(x, memory, {.training = true, .random = &random, .first_stream = first}, report);
    memory.drop_forgotten();
    const Tensor loss = cross_entropy(logits, x.view({x.numel()}));
    backward(report.aux ? loss + report.aux : loss);
    found.logits[step] = logits.detach().to_vector<double>();
  }
  for (const Tensor& leaf : model.parameters().leaves())
    if (const Tensor grad = leaf.grad()) {
      const auto values = grad.to_vector<double>();
      found.gradients.insert(found.gradients.end(), values.begin(), values.end());
    }
  return found;
}

Found read_all(const ModelConfig& config, Device device) { return read(config, device, 0, kStreams, 0); }

// Two halves, the second numbered from `first` on.
Found read_halves(const ModelConfig& config, Device device, int64_t first = kStreams / 2) {
  Found found = read(config, device, 0, kStreams / 2, 0);
  const Found rest = read(config, device, kStreams / 2, kStreams, first);
  for (size_t step = 0; step < kBlocks; ++step)
    found.logits[step].insert(found.logits[step].end(), rest.logits[step].begin(), rest.logits[step].end());
  for (size_t i = 0; i < found.gradients.size(); ++i)  // losses are means over the streams
    found.gradients[i] = (found.gradients[i] + rest.gradients[i]) / 2;
  return found;
}

double difference(const Found& a, const Found& b) {
  double largest = largest_difference(a.gradients, b.gradients);
  for (size_t step = 0; step < kBlocks; ++step)
    largest = std::max(largest, largest_difference(a.logits[step], b.logits[step]));
  return largest;
}

std::vector<std::pair<const char*, ModelConfig>> dropping_models() {
  std::vector<std::pair<const char*, ModelConfig>> models = windowed_models();
  models.emplace_back("expire_span", small_model());
  models.emplace_back("expire_span, pre-norm, noisy, recomputed", small_model(true));
  models.back().second.span.noisy = true;
  models.back().second.recompute = true;
  for (auto& [name, config] : models) config.dropout = 0.2;
  return models;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(first_stream)

// By both paths of attention, which drop the same weights.
BOOST_AUTO_TEST_CASE(parts_of_the_streams_are_read_as_all_are) {
  for (const Device device : available_devices())
    for (auto [name, config] : dropping_models()) {
      BOOST_TEST_CONTEXT(name << " on " << name_of(device)) {
        const Found all = read_all(config, device);
        BOOST_TEST(difference(all, read_halves(config, device)) < kRounding);
        config.attention = AttentionPath::composed;
        BOOST_TEST(difference(all, read_all(config, device)) < kRounding);
        BOOST_TEST(difference(all, read_halves(config, device)) < kRounding);
      }
    }
}

// Blocks whose streams have a number of hidden units that is not a multiple of the eight that share a draw.
BOOST_AUTO_TEST_CASE(parts_may_begin_within_a_draw) {
  ModelConfig config = small_model();
  config.dropout = 0.2;
  config.block = 5;
  config.ff = 31;
  for (const Device device : available_devices())
    BOOST_TEST(difference(read_all(config, device), read_halves(config, device)) < kRounding,
               name_of(device));
}

// Otherwise these tests would see nothing.
BOOST_AUTO_TEST_CASE(streams_with_other_numbers_draw_other_dropout) {
  for (auto [name, config] : dropping_models())
    BOOST_TEST(difference(read_all(config, Device::cpu), read_halves(config, Device::cpu, 0)) > 1e-3, name);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
