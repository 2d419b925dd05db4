// Forgetting: which rows leave memory and when, and that no prediction changes when they do.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <set>

#include "engine/tape.h"
#include "nn/init.h"
#include "tests/models/model_support.h"

namespace fade::test {
namespace {

const auto either_norm = boost::unit_test::data::make({false, true});

std::vector<int64_t> rows_per_stream(const LayerMemory& memory) {
  const std::vector<int32_t> start = memory.start.to_vector<int32_t>();
  std::vector<int64_t> rows;
  for (size_t b = 1; b < start.size(); ++b) rows.push_back(start[b] - start[b - 1]);
  return rows;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(forgetting)

BOOST_DATA_TEST_CASE(forgetting_changes_no_prediction_of_expire_span, either_norm, pre_norm) {
  const VariedModel model(small_model(pre_norm));
  const auto text = random_text(403, model.config().vocab);
  const auto with = bits_of_each_byte(model, text, {.streams = 2});
  const auto without = bits_of_each_byte(model, text, {.streams = 2, .forget = false});
  BOOST_TEST(largest_difference(with, without) < kRounding);

  // There was something to forget: without forgetting, memory grows with the text.
  const EvalResult forgetting = evaluate(model, text, "text", {.streams = 2}),
                   keeping = evaluate(model, text, "text", {.streams = 2, .forget = false});
  BOOST_TEST(std::abs(forgetting.bits_per_byte - keeping.bits_per_byte) < 1e-6);
  BOOST_TEST(forgetting.mean_rows < 20);
  BOOST_TEST(forgetting.mean_rows > 4);
  BOOST_TEST(keeping.mean_rows > 100);
  BOOST_TEST(forgetting.mean_span.value() > 2);
  BOOST_TEST(forgetting.mean_span.value() == keeping.mean_span.value(), boost::test_tools::tolerance(1e-9));
}

// Without this, the tests of "changes no prediction" would also pass on a model that ignores its memory.
BOOST_DATA_TEST_CASE(memory_changes_predictions, either_norm, pre_norm) {
  const VariedModel model(small_model(pre_norm));
  const auto text = random_text(33, model.config().vocab);
  auto other = text;
  other[10] ^= 1;
  const auto a = bits_of_each_byte(model, text, {}), b = bits_of_each_byte(model, other, {});
  BOOST_TEST(largest_difference(std::span(a).first(9), std::span(b).first(9)) == 0);  // no look ahead
  BOOST_TEST(largest_difference(std::span(a).subspan(16), std::span(b).subspan(16)) > 1e-4);
}

BOOST_DATA_TEST_CASE(each_stream_keeps_its_own_number_of_rows, either_norm, pre_norm) {
  const NoGrad off;
  const VariedModel model(small_model(pre_norm));
  const int64_t streams = 4, M = model.config().block;
  const auto text = random_text(400, model.config().vocab);
  Memory memory = model.empty_memory(streams);
  for (int64_t step = 0; step < 10; ++step) {
    StepReport report;
    model.forward(block_at(text, streams, M, step), memory, {}, report);
    memory.drop_forgotten();
  }
  for (size_t l = 0; l < memory.layers(); ++l) {
    const auto rows = rows_per_stream(memory[l]);
    BOOST_TEST(std::set(rows.begin(), rows.end()).size() > 1u);
  }
}

BOOST_DATA_TEST_CASE(no_stream_holds_more_than_span_and_ramp, either_norm, pre_norm) {
  const NoGrad off;
  const ModelConfig config = small_model(pre_norm);
  const Transformer model(config, DType::f64, Device::cpu, 3);
  for (const Parameter& p : model.parameters().all())
    if (p.name.ends_with("span.bias")) init_constant(p.value(), 30);  // e = S for every row
  const int64_t streams = 3, longest = config.max_span + config.span.ramp,
                bound = (longest + config.block - 1) / config.block * config.block;
  const auto text = random_text(400, config.vocab);
  Memory memory = model.empty_memory(streams);
  for (int64_t step = 0; step < 12; ++step) {
    StepReport report;
    model.forward(block_at(text, streams, config.block, step), memory, {}, report);
    memory.drop_forgotten();
    for (size_t l = 0; l < memory.layers(); ++l) {
      for (const int64_t rows : rows_per_stream(memory[l])) BOOST_TEST(rows <= bound);
      for (const int32_t age : memory[l].age.to_vector<int32_t>()) BOOST_TEST(age < longest);
    }
  }
  // A row of the full span is visible, and therefore kept, up to a distance of S + R − 1.
  BOOST_TEST(memory.mean_rows() == static_cast<double>(longest - 1));
}

BOOST_AUTO_TEST_CASE(forgetting_changes_no_prediction_of_other_kinds) {
  for (const auto& [name, config] : windowed_models()) {
    const Transformer model(config, DType::f64, Device::cpu, 3);
    const auto text = random_text(303, config.vocab);
    const auto with = bits_of_each_byte(model, text, {.streams = 2});
    const auto without = bits_of_each_byte(model, text, {.streams = 2, .forget = false});
    // Rows that adaptive_span has dropped are missing from Z, which enters with a factor of 1e-8.
    const double tolerance = config.kind == Kind::adaptive_span ? 1e-6 : kRounding;
    BOOST_TEST(largest_difference(with, without) < tolerance, name);
  }
}

BOOST_AUTO_TEST_CASE(memory_holds_what_can_still_be_seen) {
  const auto rows = [](const ModelConfig& config) {
    const Transformer model(config, DType::f64, Device::cpu, 3);
    Memory memory = model.empty_memory(2);
    read_blocks(model, 12, memory, LossPart::main);
    return memory.mean_rows();
  };
  BOOST_TEST(rows(small_model_of(Kind::transformer_xl)) == 24);
  BOOST_TEST(rows(small_model_of(Kind::compressive)) == 24 + 5);
  ModelConfig odd = small_model_of(Kind::compressive);
  odd.max_span = 21;  // rows are evicted a block at a time: two whole blocks
  BOOST_TEST(rows(odd) == 16 + 5);
  ModelConfig adaptive = small_model_of(Kind::adaptive_span);
  BOOST_TEST(rows(adaptive) == 6 + 2 * 4);  // the span, and two ramps
  adaptive.span.init = 0;
  BOOST_TEST(rows(adaptive) == 2 * 4);
  adaptive.span.init = 1;
  BOOST_TEST(rows(adaptive) == 24);
}

BOOST_AUTO_TEST_CASE(adaptive_memory_follows_the_longest_head_of_its_layer) {
  const Transformer model(small_model_of(Kind::adaptive_span), DType::f64, Device::cpu, 3);
  parameter(model, "layers.1.attn.span.ratio").copy_from(Tensor::from(std::vector<double>{0.1, 0.5}, {2}));
  Memory memory = model.empty_memory(2);
  read_blocks(model, 12, memory, LossPart::main);
  BOOST_TEST(memory[0].count() == 2 * (6 + 8));
  BOOST_TEST(memory[1].count() == 2 * (12 + 8));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
