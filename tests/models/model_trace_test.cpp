// The trace of models: every operation has a module whose name is that of its parameters, and the bytes that it
// counts are those that the tape keeps.
#include <boost/test/unit_test.hpp>

#include "engine/step_trace.h"
#include "ops/cross_entropy/cross_entropy.h"
#include "ops/elementwise/elementwise.h"
#include "tests/models/model_support.h"

namespace fade::test {
namespace {

struct Case {
  std::string name;
  ModelConfig config;
};

// Every kind, on both paths.
std::vector<Case> cases() {
  std::vector<Case> all{{"expire_span", small_model()}, {"expire_span, pre-norm", small_model(true)}};
  for (const auto& [name, config] : windowed_models()) all.push_back({name, config});
  const size_t count = all.size();
  for (size_t i = 0; i < count; ++i) {
    all.push_back({all[i].name + ", composed", all[i].config});
    all.back().config.attention = AttentionPath::composed;
  }
  return all;
}

struct Traced {
  TracedStep step;
  std::vector<NamedTensor> parameters;
  int64_t kept = 0;  ///< bytes that stayed live for backward
};

// The forward and backward pass of the third block, with dropout: memory and block are both there.
Traced traced(ModelConfig config) {
  config.dropout = 0.1;
  const Transformer model(config, DType::f32, Device::cpu, 3);
  vary_spans(model);
  constexpr int64_t B = 2;
  const std::vector<uint8_t> text = random_text(400, config.vocab);
  Generator random(1);
  const StepOptions options{.training = true, .random = &random};
  Memory memory = model.empty_memory(B);
  for (int step = 0; step < 2; ++step) {
    const NoGrad off;
    StepReport report;
    model.forward(block_at(text, B, config.block, step), memory, options, report);
    memory.drop_forgotten();
  }
  const Tensor tokens = block_at(text, B, config.block, 2), targets = block_at(text, B, config.block, 3);

  Traced result;
  for (const Parameter& p : model.parameters().all()) result.parameters.push_back({p.name, p.leaf});
  std::vector<NamedTensor> given = result.parameters;
  given.insert(given.end(), {{"tokens", tokens}, {"targets", targets}});
  for (size_t l = 0; l < memory.layers(); ++l)
    given.insert(given.end(),
                 {{"memory", memory[l].rows}, {"memory", memory[l].age}, {"memory", memory[l].start}});
  Tape tape;
  const ModuleScope scope("step");
  StepTrace trace(tape, Device::cpu, given);
  const int64_t start = memory_stats(Device::cpu).live;
  {
    const Recording on(tape);
    const Tensor loss = [&] {
      StepReport report;
      Memory now = memory;
      const ModuleScope in_loss("loss");
      const Tensor nats =
          cross_entropy(model.forward(tokens, now, options, report), targets.view({targets.numel()}));
      return report.aux ? nats + report.aux : nats;
    }();
    result.kept = memory_stats(Device::cpu).live - start - static_cast<int64_t>(loss.size_bytes());
    backward(loss);
  }
  result.step = trace.finish();
  return result;
}

bool begins_with_module(const std::string& name, const std::string& module) {
  return name.starts_with(module + ".");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(model_trace)

BOOST_AUTO_TEST_CASE(modules_are_what_parameters_names_begin_with) {
  for (const Case& c : cases()) BOOST_TEST_CONTEXT(c.name) {
      const Traced t = traced(c.config);
      size_t nodes = 0;
      for (const TraceRow& row : t.step.rows) {
        BOOST_TEST_CONTEXT(row.op << " of " << row.module) {
          BOOST_TEST(!row.module.empty());
          if (!row.on_tape) continue;
          ++nodes;
          const auto has_parameters = [&](const NamedTensor& p) {
            return begins_with_module(p.name, row.module);
          };
          BOOST_TEST((row.module == "loss" || std::ranges::any_of(t.parameters, has_parameters)));
          for (const TraceInput& in : row.inputs) {
            if (const size_t* const from = std::get_if<size_t>(&in)) {
              BOOST_TEST(*from < nodes - 1);  // a node before it
              continue;
            }
            const std::string& name = std::get<std::string>(in);
            const bool detached = c.config.kind == Kind::compressive && row.op == "layer_norm";
            if (name.find(".weight") != std::string::npos && name != "pos.weight" && !detached)
              BOOST_TEST(begins_with_module(name, row.module), name);
          }
        }
      }
      BOOST_TEST(nodes > 15);
    }
}

BOOST_AUTO_TEST_CASE(saved_bytes_are_those_that_the_tape_keeps) {
  for (const Case& c : cases()) BOOST_TEST_CONTEXT(c.name) {
      const Traced t = traced(c.config);
      int64_t saved = 0;
      for (const TraceRow& row : t.step.rows) saved += row.saved_bytes;
      BOOST_TEST(saved > 0);
      BOOST_TEST(saved == t.kept);
    }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
