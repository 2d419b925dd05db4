// What the Expire-Span model does over time: what is forgotten and when, and that forgetting, batching and
// the length of blocks change nothing that a reader of the model could see.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <set>

#include "cli/gradients.h"
#include "engine/tape.h"
#include "ops/elementwise/elementwise.h"
#include "tests/models/model_support.h"
#include "train/evaluate.h"

namespace fade {
namespace {

const auto either_norm = boost::unit_test::data::make({false, true});

// A model whose rows have spans of their own, in float64.
struct VariedModel : Transformer {
  explicit VariedModel(const ModelConfig& config) : Transformer(config, DType::f64, Device::cpu, 3) {
    test::vary_spans(*this);
  }
};

// A block of every stream: stream b reads bytes from b·(size/B) + step·M on.
Tensor block_of(const std::vector<uint8_t>& text, int64_t streams, int64_t length, int64_t step) {
  std::vector<int32_t> tokens;
  const int64_t stride = static_cast<int64_t>(text.size()) / streams;
  for (int64_t b = 0; b < streams; ++b)
    for (int64_t i = 0; i < length; ++i)
      tokens.push_back(text[static_cast<size_t>(b * stride + step * length + i)]);
  return Tensor::from(tokens, {streams, length});
}

// Sums of the same numbers in another order, in float64.
constexpr double kRounding = 1e-11;

std::vector<int64_t> rows_a_stream(const LayerMemory& memory) {
  const std::vector<int32_t> start = memory.start.to_vector<int32_t>();
  std::vector<int64_t> rows;
  for (size_t b = 1; b < start.size(); ++b) rows.push_back(start[b] - start[b - 1]);
  return rows;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(dynamics)

BOOST_DATA_TEST_CASE(forgetting_changes_no_prediction, either_norm, pre_norm) {
  const VariedModel model(test::small_model(pre_norm));
  const auto text = test::random_text(403, model.config().vocab);
  const auto with = test::bits_of_each_byte(model, text, {.streams = 2});
  const auto without = test::bits_of_each_byte(model, text, {.streams = 2, .forget = false});
  BOOST_TEST(test::largest_difference(with, without) < kRounding);

  // .. while there is something to forget: without forgetting, memory grows with the text.
  const EvalResult forgetting = evaluate(model, text, "text", {.streams = 2}),
                   keeping = evaluate(model, text, "text", {.streams = 2, .forget = false});
  BOOST_TEST(std::abs(forgetting.bits_per_byte - keeping.bits_per_byte) < 1e-6);
  BOOST_TEST(forgetting.mean_rows < 20);
  BOOST_TEST(forgetting.mean_rows > 4);
  BOOST_TEST(keeping.mean_rows > 100);
  BOOST_TEST(forgetting.mean_span > 2);
  BOOST_TEST(forgetting.mean_span == keeping.mean_span, boost::test_tools::tolerance(1e-9));
}

BOOST_DATA_TEST_CASE(memory_changes_predictions, either_norm, pre_norm) {
  // The tests of "changes nothing" would also pass on a model that ignores its memory.
  const VariedModel model(test::small_model(pre_norm));
  const auto text = test::random_text(33, model.config().vocab);
  auto other = text;
  other[10] ^= 1;
  const auto a = test::bits_of_each_byte(model, text, {}), b = test::bits_of_each_byte(model, other, {});
  BOOST_TEST(test::largest_difference(std::span(a).first(9), std::span(b).first(9)) == 0);  // no look ahead
  BOOST_TEST(test::largest_difference(std::span(a).subspan(16), std::span(b).subspan(16)) > 1e-4);
}

BOOST_DATA_TEST_CASE(streams_are_independent, either_norm, pre_norm) {
  const VariedModel model(test::small_model(pre_norm));
  const size_t streams = 3, stride = 90;
  const auto text = test::random_text(streams * stride + 1, model.config().vocab);
  const auto together = test::bits_of_each_byte(model, text, {.streams = static_cast<int>(streams)});
  for (size_t b = 0; b < streams; ++b) {
    const auto alone = test::bits_of_each_byte(model, std::span(text).subspan(b * stride, stride + 1), {});
    BOOST_TEST(test::largest_difference(alone, std::span(together).subspan(b * stride, stride)) < kRounding);
  }
}

BOOST_DATA_TEST_CASE(streams_keep_as_many_rows_as_each_wants, either_norm, pre_norm) {
  const NoGrad off;
  const VariedModel model(test::small_model(pre_norm));
  const int64_t streams = 4, M = model.config().block;
  const auto text = test::random_text(400, model.config().vocab);
  Memory memory = model.empty_memory(streams);
  for (int64_t step = 0; step < 10; ++step) {
    StepReport report;
    model.forward(block_of(text, streams, M, step), memory, {}, report);
  }
  for (size_t l = 0; l < memory.layers(); ++l) {
    const auto rows = rows_a_stream(memory[l]);
    BOOST_TEST(std::set(rows.begin(), rows.end()).size() > 1u);
  }
}

BOOST_DATA_TEST_CASE(the_length_of_blocks_changes_no_prediction, either_norm, pre_norm) {
  const VariedModel model(test::small_model(pre_norm));
  const auto text = test::random_text(75, model.config().vocab);
  const auto whole = test::read_in_blocks(model, text, {model.config().block});
  const auto single = test::read_in_blocks(model, text, {1});  // as generation reads its own bytes
  const auto uneven = test::read_in_blocks(model, text, {3, 8, 1, 5});
  BOOST_TEST(test::largest_difference(whole, single) < kRounding);
  BOOST_TEST(test::largest_difference(whole, uneven) < kRounding);
}

BOOST_DATA_TEST_CASE(no_stream_holds_more_than_span_and_ramp, either_norm, pre_norm) {
  const NoGrad off;
  const ModelConfig config = test::small_model(pre_norm);
  const Transformer model(config, DType::f64, Device::cpu, 3);
  for (const Parameter& p : model.parameters().all())
    if (p.name.ends_with("span.bias")) init_constant(p.value(), 30);  // e = S for every row
  const int64_t streams = 3, longest = config.max_span + config.span.ramp,
                bound = (longest + config.block - 1) / config.block * config.block;
  const auto text = test::random_text(400, config.vocab);
  Memory memory = model.empty_memory(streams);
  for (int64_t step = 0; step < 12; ++step) {
    StepReport report;
    model.forward(block_of(text, streams, config.block, step), memory, {}, report);
    for (size_t l = 0; l < memory.layers(); ++l) {
      for (const int64_t rows : rows_a_stream(memory[l])) BOOST_TEST(rows <= bound);
      for (const int32_t age : memory[l].age.to_vector<int32_t>()) BOOST_TEST(age < longest);
    }
  }
  // A row of the full span is seen up to a distance of S + R − 1, and kept as long.
  BOOST_TEST(memory.mean_rows() == static_cast<double>(longest - 1));
}

BOOST_AUTO_TEST_CASE(the_span_loss_shortens_spans) {
  const VariedModel model(test::small_model());
  const auto text = test::random_text(400, model.config().vocab);
  const auto read = [&](bool update) {
    Memory memory = model.empty_memory(2);
    double span = 0;
    model.parameters().zero_grad();
    for (int64_t step = 0; step < 4; ++step) {
      const Recording on;
      StepReport report;
      model.forward(block_of(text, 2, model.config().block, step), memory, {.training = true}, report);
      span = report.mean_span().item();
      if (update) backward(report.aux);
    }
    return span;
  };
  const double before = read(true);
  for (const Parameter& p : model.parameters().all()) {
    if (!p.name.ends_with("span.bias")) continue;
    BOOST_TEST(p.grad().item() > 0);  // descending lowers the bias, which all spans of the layer share
    init_constant(p.value(), p.value().item() - 2 * p.grad().item());
  }
  BOOST_TEST(read(false) < before - 0.01);
}

BOOST_AUTO_TEST_CASE(randomness_is_the_seeds) {
  const auto text = test::random_text(400, 32);
  const auto logits = [&](const ModelConfig& config, StepOptions options, uint64_t seed, Memory* keep) {
    const NoGrad off;
    const VariedModel model(config);
    Generator random(seed);
    options.random = &random;
    Memory memory = model.empty_memory(2);
    StepReport report;
    Tensor y;
    for (int64_t step = 0; step < 3; ++step)
      y = model.forward(block_of(text, 2, config.block, step), memory, options, report);
    if (keep) *keep = memory;
    return y.to_vector<double>();
  };
  ModelConfig dropping = test::small_model(), noisy = test::small_model();
  dropping.dropout = 0.2;
  noisy.span.noisy = true;
  const auto plain = logits(test::small_model(), {.training = true}, 1, nullptr);
  for (const ModelConfig& config : {dropping, noisy}) {
    const auto once = logits(config, {.training = true}, 1, nullptr);
    BOOST_TEST((once == logits(config, {.training = true}, 1, nullptr)));
    BOOST_TEST((once != logits(config, {.training = true}, 2, nullptr)));
    BOOST_TEST((once != plain));
    BOOST_TEST((plain == logits(config, {}, 1, nullptr)));  // evaluation has neither dropout nor noise
  }
  // Noise cuts what is seen, not what is kept: in the first layer, whose input it does not touch, the same
  // rows stay.
  Memory with = VariedModel(noisy).empty_memory(2), without = with;
  logits(noisy, {.training = true}, 1, &with);
  logits(test::small_model(), {.training = true}, 1, &without);
  BOOST_TEST(with[0].age.to_vector<int32_t>() == without[0].age.to_vector<int32_t>(),
             boost::test_tools::per_element());
}

// Losses and gradients of three blocks of training, one tensor after another.
std::vector<double> losses_and_gradients(const ModelConfig& config) {
  const VariedModel model(config);
  const TensorFile found = gradients(model, test::random_text(3 * 57, config.vocab), 3, 7);
  std::vector<double> all;
  for (const auto& [name, t] : found.tensors) {
    const auto values = t.to_vector<double>();
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

// The one operation over tiles, and the readable ones that explain it; streams keep different numbers of
// rows.
BOOST_DATA_TEST_CASE(fused_attention_equals_composed, either_norm* boost::unit_test::data::make({0.0, 0.2}),
                     pre_norm, init) {
  ModelConfig config = test::small_model(pre_norm);
  config.span.init = init > 0 ? init : 0.01;  // nearly all expired at once, or a mixture
  config.attention = AttentionPath::fused;
  const auto fused = losses_and_gradients(config);
  config.attention = AttentionPath::composed;
  BOOST_TEST(test::largest_difference(fused, losses_and_gradients(config)) < kRounding);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
