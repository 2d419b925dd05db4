// Reading with frozen weights: what is kept of rows from block to block changes no prediction, nor does late forgetting.
#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "engine/tape.h"
#include "tests/models/model_support.h"
#include "tests/ops/op_checks.h"

namespace fade::test {
namespace {

/// Every kind, with its name; Expire-Span also with the variants that all kinds share.
std::vector<std::pair<const char*, ModelConfig>> models() {
  auto all = windowed_models();
  all.emplace_back("expire_span", small_model());
  all.emplace_back("expire_span, pre-norm", small_model(true));
  ModelConfig qk_norm = small_model();
  qk_norm.qk_norm = true;
  all.emplace_back("expire_span, qk_norm", qk_norm);
  return all;
}

/// Streams in blocks of several lengths, `rounds` times, single bytes among them: the logits of every position.
std::vector<double> logits(const Transformer& model, const StepOptions& options, int rounds,
                           int64_t streams = 2) {
  const NoGrad off;
  constexpr int64_t kLengths[] = {8, 1, 1, 3, 8, 8, 1, 5};
  std::vector<double> all;
  Memory memory = model.empty_memory(streams);
  int64_t step = 0;
  for (int round = 0; round < rounds; ++round)
    for (const int64_t length : kLengths) {
      const std::vector<uint8_t> text = random_text(static_cast<size_t>(streams * length),
                                                    model.config().vocab, static_cast<uint64_t>(++step));
      StepReport report;
      const Tensor tokens = block_at(text, streams, length, 0).to(model.device());
      const Tensor y = model.forward(tokens, memory, options, report);
      const std::vector<double> of_block = y.to(DType::f64).to_vector<double>();
      all.insert(all.end(), of_block.begin(), of_block.end());
      memory.drop_forgotten();
      BOOST_TEST(static_cast<bool>(memory[0].kept.kv) == options.frozen);
    }
  return all;
}

void check_predictions(DType type, Device device, int rounds, double tolerance) {
  for (auto [name, config] : models())
    for (const AttentionPath path : {AttentionPath::fused, AttentionPath::composed}) {
      config.attention = path;
      const VariedModel model(config, type, device);
      for (const bool forget : {true, false})
        BOOST_TEST(largest_difference(logits(model, {.frozen = true, .forget = forget}, rounds),
                                      logits(model, {.forget = forget}, rounds)) < tolerance,
                   name << ", path " << static_cast<int>(path) << ", forget " << forget << ", "
                        << name_of(type) << " on " << name_of(device));
    }
}

/// A single stream, with forgetting late and after each block.
void check_late_forgetting(DType type, Device device, double tolerance) {
  constexpr int kRounds = 4;  // of 35 positions: each kind forgets several times
  for (auto [name, config] : models())
    for (const AttentionPath path : {AttentionPath::fused, AttentionPath::composed}) {
      config.attention = path;
      const VariedModel model(config, type, device);
      // Rows that adaptive_span still has are in Z, which enters with a factor of 1e-8.
      const double most = std::max(tolerance, config.kind == Kind::adaptive_span ? 1e-6 : 0);
      for (const int64_t window : {0, 10}) {
        const std::vector<double> wanted = logits(model, {.window = window}, kRounds, 1);
        for (const bool frozen : {false, true})
          BOOST_TEST(largest_difference(
                         logits(model, {.frozen = frozen, .forget_late = true, .window = window}, kRounds, 1),
                         wanted) < most,
                     name << ", path " << static_cast<int>(path) << ", frozen " << frozen << ", window "
                          << window << ", " << name_of(type) << " on " << name_of(device));
      }
    }
}

/// Reads a byte, and forgets late: the logits that follow.
std::vector<double> read_byte(const Transformer& model, Memory& memory, int32_t byte, bool frozen = true) {
  const NoGrad off;
  StepReport report;
  const Tensor y = model.forward(Tensor::from(std::vector{byte}, {1, 1}), memory,
                                 {.frozen = frozen, .forget_late = true}, report);
  memory.drop_forgotten();
  return y.to_vector<double>();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(frozen)

BOOST_AUTO_TEST_CASE(kept_keys_and_values_change_no_prediction) {
  check_predictions(DType::f64, Device::cpu, 6, kRounding);
}

// 1e-5: as of 1e-11 in f64, with logits of about 1.
BOOST_AUTO_TEST_CASE(kept_keys_and_values_change_no_prediction_in_f32) {
  for (const Device device : available_devices()) check_predictions(DType::f32, device, 1, 1e-5);
}

BOOST_AUTO_TEST_CASE(late_forgetting_changes_no_prediction) {
  check_late_forgetting(DType::f64, Device::cpu, kRounding);
  for (const Device device : available_devices()) check_late_forgetting(DType::f32, device, 1e-5);
}

BOOST_AUTO_TEST_CASE(a_memory_and_its_copy_go_on_by_themselves) {
  const VariedModel model(small_model());
  Memory memory = model.empty_memory(1), alone = model.empty_memory(1);
  for (int32_t byte = 0; byte < 12; ++byte) {
    read_byte(model, memory, byte);
    read_byte(model, alone, byte);
  }
  Memory copy = memory;
  for (int32_t byte = 0; byte < 30; ++byte) {
    read_byte(model, copy, 31 - byte);  // into the room that both have
    const auto y = read_byte(model, memory, byte), wanted = read_byte(model, alone, byte);
    BOOST_TEST(largest_difference(y, wanted) < kRounding);
  }
}

BOOST_AUTO_TEST_CASE(passes_that_keep_and_passes_that_do_not_may_alternate) {
  const VariedModel model(small_model());
  Memory memory = model.empty_memory(1), plain = model.empty_memory(1);
  for (int32_t i = 0; i < 60; ++i)
    BOOST_TEST(largest_difference(read_byte(model, memory, i % 32, i / 3 % 2 == 0),
                                  read_byte(model, plain, i % 32, false)) < kRounding);
}

BOOST_AUTO_TEST_CASE(a_pass_that_is_not_frozen_projects_with_the_weights_of_now) {
  const NoGrad off;
  const VariedModel model(small_model());
  const std::vector<uint8_t> text = random_text(48, model.config().vocab);
  const auto second_block = [&](bool frozen_before) {
    Memory memory = model.empty_memory(1);
    StepReport report;
    const Tensor weight = parameter(model, "layers.1.attn.key.weight"), old = weight.clone();
    model.forward(block_at(text, 1, 8, 0), memory, {.frozen = frozen_before}, report);
    memory.drop_forgotten();
    weight.copy_from(Tensor::zeros(weight.shape(), DType::f64, Device::cpu));
    const auto y = model.forward(block_at(text, 1, 8, 1), memory, {}, report).to_vector<double>();
    weight.copy_from(old);
    return y;
  };
  BOOST_TEST(largest_difference(second_block(true), second_block(false)) == 0);
}

BOOST_AUTO_TEST_CASE(frozen_weights_are_refused_while_gradients_are_recorded) {
  const VariedModel model(small_model());
  Memory memory = model.empty_memory(1);
  StepReport report;
  Tape tape;
  const Tape::Scope recording(&tape);
  const Tensor tokens = block_at(random_text(8, 32), 1, 8, 0);
  BOOST_TEST(contains(error_of([&] { model.forward(tokens, memory, {.frozen = true}, report); }),
                      "StepOptions::frozen"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
