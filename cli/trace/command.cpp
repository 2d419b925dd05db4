// `fade trace`: the tape of one training step.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/trace/graph.h"
#include "cli/trace/trace.h"
#include "engine/io/output.h"
#include "train/checkpoint/checkpoint.h"
#include "train/checkpoint/run_directory.h"

namespace fade {
namespace fs = std::filesystem;
namespace {

// Memory rows per stream and layer that a new model keeps: its window, or its first spans with their ramp.
int64_t rows_of_new_model(const ModelConfig& config) {
  const int64_t S = config.max_span;
  if (kind_info(config.kind).spans == Spans::none) return S;
  return std::min<int64_t>(S, std::llround(config.span.init * static_cast<double>(S)) + config.span.ramp);
}

nlohmann::ordered_json to_json(const Trace& trace, int64_t live) {
  nlohmann::ordered_json nodes = nlohmann::ordered_json::array();
  for (const TraceRow& row : trace.rows) {
    nlohmann::ordered_json inputs = nlohmann::ordered_json::array();
    for (const TraceInput& in : row.inputs)
      std::visit([&](const auto& value) { inputs.push_back(value); }, in);
    std::vector<int64_t> shape;
    for (int d = 0; d < row.shape.dims(); ++d) shape.push_back(row.shape[d]);
    nodes.push_back({{"op", row.op},
                     {"module", row.module},
                     {"on_tape", row.on_tape},
                     {"inputs", inputs},
                     {"shape", shape},
                     {"saved_bytes", row.saved_bytes},
                     {"forward_ms", row.forward_ms},
                     {"backward_ms", row.backward_ms}});
  }
  return {{"nodes", nodes},
          {"step_ms", trace.step_ms},
          {"traced_ms", trace.traced_ms},
          {"peak_bytes", trace.peak_bytes},
          {"before_bytes", trace.before_bytes},
          {"live", live}};
}

struct TraceCommand {
  CheckpointArguments model;
  std::vector<std::string> sets;
  std::string dot;
  int64_t live = 0;
  int steps = 20;
  bool fold = false, json = false;

  explicit TraceCommand(CLI::App& app)
      : model(app, false, "CONFIG|RUN",
              fmt::format("a configuration, named .yaml or .yml; or {}", kCheckpointForms)) {
    add_sets(app, sets, "key.path=value: overrides a key of CONFIG; may be repeated");
    add_number(
        app, "--live", live, {1, BenchStep::kMostRows},
        "context rows per stream and layer, all live, those of the block included (default: the block's "
        "and what RUN has in memory, or a new model of CONFIG would keep)");
    add_number(app, "--steps", steps, {1, 10'000}, "steps to trace")->capture_default_str();
    app.add_flag("--fold", fold, "a row per module");
    app.add_option(
           "--dot", dot,
           "file for the graph in the language of Graphviz, and for its picture the same name with .svg; - is "
           "standard output, without a picture")
        ->check(not_empty());
    app.add_flag("--json", json, "print one JSON object");
  }

  /// What is traced: a configuration, and for a run its weights.
  struct Traced {
    Config config;
    std::unique_ptr<Transformer> weights;
    std::string which;
    std::optional<double> rows;  ///< that the run had in memory, per stream and layer
    fs::path file;
  };

  Traced load() const {
    if (is_configuration_name(model.path)) {
      if (!model.config.empty())
        refuse("--config {}: {} is a configuration itself (leave --config out)", model.config, model.path);
      std::vector<std::string> all = sets;
      if (model.device != "auto") all.push_back(device_override(model.device).front());
      if (model.threads) all.push_back(fmt::format("threads={}", model.threads));
      const Config config = load_config(model.path, all);
      set_up_process(config);
      return {config, nullptr, {}, {}, model.path};
    }
    if (!sets.empty())
      refuse("--set {}: a run is traced as it was trained (trace its config.yaml to change settings)",
             sets.front());
    LoadedModel loaded = model.load();
    if (const auto choice = parse_name<DeviceChoice>("--device", model.device);
        choice != DeviceChoice::automatic)
      loaded.config.device = choice;
    return {loaded.config, std::move(loaded.model), loaded.which,
            live ? std::nullopt : mean_rows_beside(loaded.file), loaded.file};
  }

  void run() const {
    const bool to_stdout = !dot.empty() && is_standard_output(dot);
    if (to_stdout && json) refuse("--dot {}: standard output takes the JSON (name a file)", dot);
    const fs::path picture = dot.empty() ? fs::path() : picture_beside(dot);
    if (!picture.empty() && picture == fs::path(dot))
      refuse("--dot {}: the picture gets this name (end the graph's in .dot)", dot);
    Traced traced = load();
    for (const fs::path& file : {fs::path(dot), picture})
      if (!file.empty()) {
        check_output(file, {traced.file});
        refuse_file_of_run(file);
      }
    const Config& c = traced.config;
    const auto kept = traced.rows ? std::llround(*traced.rows) : rows_of_new_model(c.model);
    const int64_t rows = live ? live : std::min<int64_t>(c.model.block + kept, BenchStep::kMostRows);
    BenchStep step(c, rows, Ranks::alone(), std::move(traced.weights));
    const Trace nodes = trace_steps(step, steps);
    const Trace trace = fold ? folded(nodes) : nodes;
    if (!dot.empty()) write_file_atomically(dot, dot_graph(trace.rows, step.data(), fold));
    if (json)
      fmt::print("{}\n", to_json(trace, rows).dump());
    else if (!to_stdout)
      print(trace, c, step, rows);
    flush_stdout();
    if (!picture.empty()) {
      if (const std::string why = draw(dot, picture); !why.empty())
        print_stderr("{} is written, but no picture: {}", dot, why);
      else
        print_stderr("{}: the picture of {}", picture.string(), dot);
    }
    say_which(traced.which);
  }

  void print(const Trace& trace, const Config& c, const BenchStep& step, int64_t rows) const {
    fmt::print("{}: {}, {} layers, {} streams of {} positions, {} rows live; {} on {}\n\n{}\n{}", model.path,
               name_of(c.model.kind), c.model.layers, c.train.batch, c.model.block, rows,
               precision_name(c, step.model().device()), name_of(step.model().device()),
               trace_table(trace, fold), trace_summary(trace, fold));
    if (const int raised = step.model().config().max_span; raised != c.model.max_span)
      fmt::print("(model.max_span is {} instead of {}, so that every row is live)\n", raised,
                 c.model.max_span);
    if (step.model().device() != Device::cpu)
      fmt::print("(a traced step waits for the device at every row; a step that is not traced does not)\n");
  }
};

}  // namespace

void add_trace(Program& program) {
  add_command<TraceCommand>(program, "trace", "the operations of one training step, their time and memory");
}

}  // namespace fade
