// fade trace: the sums of its rows are the step's, as fade bench has it.
#include "cli/trace/trace.h"

#include <boost/test/unit_test.hpp>

#include "cli/trace/graph.h"
#include "tests/small_training.h"

namespace fade::test {
namespace {

constexpr int kLive = 20;

Config config_of_kind(Kind kind) {
  Config config;
  config.model = small_model_of(kind);
  config.model.dropout = 0.1;
  config.train.batch = 2;
  config.device = DeviceChoice::cpu;
  return config;
}

double total_ms(const Trace& trace) {
  double ms = 0;
  for (const TraceRow& row : trace.rows) ms += row.forward_ms + row.backward_ms;
  return ms;
}

int64_t bytes_of(const std::vector<NamedTensor>& tensors) {
  int64_t bytes = 0;
  for (const NamedTensor& t : tensors) bytes += static_cast<int64_t>(t.tensor.size_bytes());
  return bytes;
}

size_t count(const std::string& text, const std::string& part) {
  size_t n = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(trace)

BOOST_AUTO_TEST_CASE(sums_are_those_of_the_step) {
  for (const KindInfo& kind : kKinds) BOOST_TEST_CONTEXT(kind.name) {
      const Config config = config_of_kind(kind.kind);
      const int64_t peak = [&] {  // as fade bench finds it
        BenchStep step(config, kLive);
        for (int i = 0; i < 5; ++i) step.run();
        return memory_stats(Device::cpu).peak;
      }();
      const int64_t live = memory_stats(Device::cpu).live;
      BenchStep step(config, kLive);
      const Trace all = trace_steps(step, 5), parts = folded(all);
      BOOST_TEST(all.peak_bytes == peak);
      for (const Trace& t : {all, parts}) {
        BOOST_TEST(std::abs(total_ms(t) - all.traced_ms) <= 1e-9 * all.traced_ms);
        BOOST_TEST(saved_bytes(t.rows) == saved_bytes(all.rows));
      }
      BOOST_TEST(parts.rows.size() < all.rows.size());
      BOOST_TEST(parts.rows[parts.peak_row].module == part_of_model(all.rows[all.peak_row].module));

      int64_t weights = 0;  // and Adam's two moments
      for (const Tensor& leaf : step.model().parameters().leaves())
        weights += static_cast<int64_t>(leaf.size_bytes());
      BOOST_TEST(all.before_bytes - live == 3 * weights + bytes_of(step.data()));
    }
}

BOOST_AUTO_TEST_CASE(parts_of_a_model_are_two_names_deep) {
  BOOST_TEST(part_of_model("layers.3.attn.query") == "layers.3.attn");
  BOOST_TEST(part_of_model("layers.3.attn") == "layers.3.attn");
  BOOST_TEST(part_of_model("layers.12") == "layers.12");
  BOOST_TEST(part_of_model("layers.0.ff.fc1") == "layers.0.ff");
  BOOST_TEST(part_of_model("out") == "out");
  BOOST_TEST(part_of_model("") == "");
}

BOOST_AUTO_TEST_CASE(the_graph_has_every_node_and_every_arrow) {
  BenchStep step(config_of_kind(Kind::expire_span), kLive);
  for (const bool fold : {false, true}) {
    const Trace whole = trace_steps(step, 1), trace = fold ? folded(whole) : whole;
    const std::string dot = dot_graph(trace.rows, step.data(), fold);
    size_t nodes = 0, arrows = 0;
    for (const TraceRow& row : trace.rows) {
      if (!row.on_tape) continue;
      ++nodes;
      for (const TraceInput& in : row.inputs)
        if (std::holds_alternative<size_t>(in)) ++arrows;
    }
    BOOST_TEST(count(dot, "fillcolor=\"0.08") == nodes);
    BOOST_TEST(count(dot, " -> n") == arrows + count(dot, "\" -> n"));
    BOOST_TEST(count(dot, "\"layers.0.memory\" -> n") == (fold ? 1u : 2u));  // spans; keys and values
    BOOST_TEST(count(dot, "weight\" -> ") == 0u);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
