// The trace of a step: what belongs to which node and module, and that nothing is lost.
#include "engine/step_trace.h"

#include <boost/test/unit_test.hpp>

#include "ops/elementwise/elementwise.h"
#include "ops/matmul/matmul.h"
#include "ops/reduce/reduce.h"
#include "tests/support.h"

namespace fade {
namespace {

// Σ over rows of both times.
double total_ms(const TracedStep& step) {
  double ms = 0;
  for (const TraceRow& row : step.rows) ms += row.forward_ms + row.backward_ms;
  return ms;
}

// y = relu(x·W) in module "a", Σ y·y in module "b", a constant in between, and its backward.
struct Example {
  Tensor x = Tensor::full({4, 8}, 1), w = Tensor::full({8, 16}, 1).set_requires_grad();
  Tape tape;

  TracedStep traced() {
    const ModuleScope scope("step");
    StepTrace trace(tape, Device::cpu, {{"x", x}, {"w", w}});
    {
      const Recording on(tape);
      const Tensor y = in_module("a", [&] { return relu(matmul(x, w)); });
      in_module("a", [&] { return x * 2; });
      backward(in_module("b", [&] { return sum(y * y); }));
    }
    return trace.finish();
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(step_trace)

BOOST_AUTO_TEST_CASE(a_module_is_in_scope_until_its_scope_ends) {
  BOOST_TEST(ModuleScope::current() == "");
  {
    const ModuleScope outer("layers.0");
    in_module("layers.0.ff", [] { BOOST_TEST(ModuleScope::current() == "layers.0.ff"); });
    BOOST_TEST(ModuleScope::current() == "layers.0");
    const NoGrad off;
    BOOST_TEST(ModuleScope::current() == "layers.0");
  }
  BOOST_TEST(ModuleScope::current() == "");
}

BOOST_AUTO_TEST_CASE(nodes_come_in_order_then_constants_then_other_work) {
  const TracedStep step = Example().traced();
  const std::vector<std::string> ops{"matmul", "relu", "mul", "sum", "scale"},
      modules{"a", "a", "b", "b", "a"};
  BOOST_REQUIRE(step.rows.size() >= ops.size());
  for (size_t i = 0; i < step.rows.size(); ++i) {
    BOOST_TEST(step.rows[i].op == (i < ops.size() ? ops[i] : StepTrace::kOther));
    BOOST_TEST(step.rows[i].on_tape == (i < 4));
    if (i < ops.size()) BOOST_TEST(step.rows[i].module == modules[i]);
  }
  BOOST_TEST((step.rows[0].shape == Shape{4, 16}));
  BOOST_TEST((step.rows[0].inputs == std::vector<TraceInput>{"x", "w"}));
  BOOST_TEST((step.rows[2].inputs == std::vector<TraceInput>{size_t{1}, size_t{1}}));
  BOOST_TEST((step.rows[4].inputs == std::vector<TraceInput>{"x"}));
}

BOOST_AUTO_TEST_CASE(saved_bytes_are_counted_once_and_not_for_what_was_there) {
  const TracedStep step = Example().traced();
  constexpr int64_t y = 4 * 16 * 4;
  BOOST_TEST(step.rows[0].saved_bytes == 0);  // x and w
  BOOST_TEST(step.rows[1].saved_bytes == y);  // relu saves its result
  BOOST_TEST(step.rows[2].saved_bytes == 0);  // and mul the same tensor, twice
}

BOOST_AUTO_TEST_CASE(all_time_is_in_a_row) {
  const TracedStep step = Example().traced();
  BOOST_TEST(step.ms > 0);
  BOOST_TEST(std::abs(total_ms(step) - step.ms) <= 1e-12 * step.ms);
  for (const TraceRow& row : step.rows)
    if (!row.on_tape && row.op != StepTrace::kOther) BOOST_TEST(row.backward_ms == 0);
}

// Sleeps of 20 ms at known places must be found in the rows that end there; other rows need no such time, but
// may take it on a busy machine.
BOOST_AUTO_TEST_CASE(time_belongs_to_what_it_ends_with) {
  static const auto wait = [] {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(20);
    while (std::chrono::steady_clock::now() < end) {
    }
  };
  static constexpr OpDef slow{"slow", [](BackwardCtx& ctx) {
                                wait();
                                ctx.add(0, ctx.grad());
                              }};
  const Tensor x = Tensor::full({1}, 1).set_requires_grad();
  Tape tape;
  const ModuleScope scope("step");
  StepTrace trace(tape, Device::cpu, {});
  {
    const Recording on(tape);
    Tensor y = x.clone();
    in_module("quick", [&] { return x * 1; });
    wait();  // other work of "step"
    in_module("layer", [&] {
      wait();
      record(slow, y, {&x}, {});
    });
    in_module("memory", wait);
    backward(y);
  }
  const TracedStep step = trace.finish();
  const auto ms = [&](const std::string& op, const std::string& module, double TraceRow::*pass) {
    for (const TraceRow& row : step.rows)
      if (row.op == op && row.module == module) return row.*pass;
    return 0.0;
  };
  BOOST_TEST(ms("slow", "layer", &TraceRow::forward_ms) >= 19);
  BOOST_TEST(ms("slow", "layer", &TraceRow::backward_ms) >= 19);
  BOOST_TEST(ms(StepTrace::kOther, "step", &TraceRow::forward_ms) >= 19);
  BOOST_TEST(ms(StepTrace::kOther, "memory", &TraceRow::forward_ms) >= 19);
}

BOOST_AUTO_TEST_CASE(the_row_of_the_peak_is_known) {
  const Tensor x = Tensor::full({1 << 10}, 1).set_requires_grad();
  Tape tape;
  StepTrace trace(tape, Device::cpu, {{"x", x}});
  {
    const Recording on(tape);
    const Tensor y = exp(x * 2);
    Tensor::full({1 << 20}, 1);  // comes and goes before the next operation
    backward(sum(y));
  }
  const TracedStep step = trace.finish();
  BOOST_TEST(step.peak_bytes == memory_stats(Device::cpu).peak);
  BOOST_TEST(step.peak_bytes - step.start_bytes >= 4 << 20);
  BOOST_TEST(step.rows[step.peak_row].op ==
             "sum");  // during its backward: the large tensor and all gradients
}

BOOST_AUTO_TEST_CASE(observers_of_before_are_back_after_a_trace) {
  Example example;
  example.traced();
  BOOST_TEST(example.tape.observe(nullptr) == nullptr);
  BOOST_TEST(ModuleScope::observe(nullptr) == nullptr);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
