// The Expire-Span model over time: streams and the length of blocks change no prediction, the span loss
// shortens spans, randomness comes from the seed, and both paths of
// attention agree. (Forgetting: forgetting_test.cpp.)
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "cli/gradients.h"
#include "engine/tape.h"
#include "nn/init.h"
#include "ops/elementwise/elementwise.h"
#include "tests/models/model_support.h"
#include "train/evaluate.h"

namespace fade::test {
namespace {

const auto either_norm = boost::unit_test::data::make({false, true});

}  // namespace

BOOST_AUTO_TEST_SUITE(dynamics)

BOOST_DATA_TEST_CASE(streams_are_independent, either_norm, pre_norm) {
  const VariedModel model(small_model(pre_norm));
  const size_t streams = 3, stride = 90;
  const auto text = random_text(streams * stride + 1, model.config().vocab);
  const auto together = bits_of_each_byte(model, text, {.streams = static_cast<int>(streams)});
  for (size_t b = 0; b < streams; ++b) {
    const auto alone = bits_of_each_byte(model, std::span(text).subspan(b * stride, stride + 1), {});
    BOOST_TEST(largest_difference(alone, std::span(together).subspan(b * stride, stride)) < kRounding);
  }
}

BOOST_DATA_TEST_CASE(the_length_of_blocks_changes_no_prediction, either_norm, pre_norm) {
  const VariedModel model(small_model(pre_norm));
  const auto text = random_text(75, model.config().vocab);
  const auto whole = read_in_blocks(model, text, {model.config().block});
  const auto single = read_in_blocks(model, text, {1});  // as generation reads its own bytes
  const auto uneven = read_in_blocks(model, text, {3, 8, 1, 5});
  BOOST_TEST(largest_difference(whole, single) < kRounding);
  BOOST_TEST(largest_difference(whole, uneven) < kRounding);
}

BOOST_AUTO_TEST_CASE(the_span_loss_shortens_spans) {
  const VariedModel model(small_model());
  const auto text = random_text(400, model.config().vocab);
  const auto read = [&](bool update) {
    Memory memory = model.empty_memory(2);
    double span = 0;
    model.parameters().zero_grad();
    for (int64_t step = 0; step < 4; ++step) {
      const Recording on;
      StepReport report;
      model.forward(block_at(text, 2, model.config().block, step), memory, {.training = true}, report);
      memory.drop_forgotten();
      span = report.mean_span().item();
      if (update) backward(report.aux);
    }
    return span;
  };
  const double before = read(true);
  for (const Parameter& p : model.parameters().all()) {
    if (!p.name.ends_with("span.bias")) continue;
    BOOST_TEST(p.grad().item() > 0);  // a gradient step lowers the bias that all spans of the layer share
    init_constant(p.value(), p.value().item() - 2 * p.grad().item());
  }
  BOOST_TEST(read(false) < before - 0.01);
}

BOOST_AUTO_TEST_CASE(randomness_is_the_seeds) {
  const auto text = random_text(400, 32);
  const auto logits = [&](const ModelConfig& config, StepOptions options, uint64_t seed, Memory* keep) {
    const NoGrad off;
    const VariedModel model(config);
    Generator random(seed);
    options.random = &random;
    Memory memory = model.empty_memory(2);
    StepReport report;
    Tensor y;
    for (int64_t step = 0; step < 3; ++step) {
      y = model.forward(block_at(text, 2, config.block, step), memory, options, report);
      memory.drop_forgotten();
    }
    if (keep) *keep = memory;
    return y.to_vector<double>();
  };
  ModelConfig dropping = small_model(), noisy = small_model();
  dropping.dropout = 0.2;
  noisy.span.noisy = true;
  const auto plain = logits(small_model(), {.training = true}, 1, nullptr);
  for (const ModelConfig& config : {dropping, noisy}) {
    const auto once = logits(config, {.training = true}, 1, nullptr);
    BOOST_TEST((once == logits(config, {.training = true}, 1, nullptr)));
    BOOST_TEST((once != logits(config, {.training = true}, 2, nullptr)));
    BOOST_TEST((once != plain));
    BOOST_TEST((plain == logits(config, {}, 1, nullptr)));  // evaluation has neither dropout nor noise
  }
  // Noise shortens the spans that attention sees, not those that forgetting uses: the first layer, whose
  // input has no noise yet, keeps the same rows.
  Memory with = VariedModel(noisy).empty_memory(2), without = with;
  logits(noisy, {.training = true}, 1, &with);
  logits(small_model(), {.training = true}, 1, &without);
  BOOST_TEST(with[0].age.to_vector<int32_t>() == without[0].age.to_vector<int32_t>(),
             boost::test_tools::per_element());
}

// Losses and gradients of three blocks of training, one tensor after another.
std::vector<double> losses_and_gradients(const ModelConfig& config) {
  const VariedModel model(config);
  const TensorFile found = gradients(model, random_text(3 * 57, config.vocab), 3, 7);
  std::vector<double> all;
  for (const auto& [name, t] : found.tensors) {
    const auto values = t.to_vector<double>();
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

// Attention as one operation over tiles, and as the readable operations that explain it, on streams with
// different numbers of rows.
BOOST_DATA_TEST_CASE(fused_attention_equals_composed, either_norm* boost::unit_test::data::make({0.0, 0.2}),
                     pre_norm, init) {
  ModelConfig config = small_model(pre_norm);
  config.span.init = init > 0 ? init : 0.01;  // nearly all expired at once, or a mixture
  config.attention = AttentionPath::fused;
  const auto fused = losses_and_gradients(config);
  config.attention = AttentionPath::composed;
  BOOST_TEST(largest_difference(fused, losses_and_gradients(config)) < kRounding);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
