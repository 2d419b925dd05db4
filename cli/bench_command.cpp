// `fade bench`: time and memory of one training step with a memory of a given size.
#include <nlohmann/json.hpp>

#include "cli/bench_step.h"
#include "cli/command.h"
#include "engine/median.h"
#include "train/figure.h"

namespace fade {
namespace {

struct BenchResult {
  double ms = 0;            ///< median over the timed steps
  double tokens_per_s = 0;  ///< B·M / median
  int64_t peak_bytes = 0;   ///< highest live bytes of tensors, weights and optimizer included
  Device device;            ///< where the steps ran
};

/// Times `steps` steps after the warm-up.
BenchResult bench_step(const Config& config, int64_t live, int steps) {
  BenchStep step(config, live);
  for (int i = 0; i < BenchStep::kWarmUp; ++i) step.run();
  std::vector<double> ms;
  for (int i = 0; i < steps; ++i) ms.push_back(step.run());
  const double middle = median(ms);
  const Device device = step.model().device();
  return {middle, 1000.0 * config.train.batch * config.model.block / middle, memory_stats(device).peak,
          device};
}

struct Bench {
  ConfigArguments config;
  std::string device;
  int64_t live = 0;
  int steps = 20;
  bool json = false;

  explicit Bench(CLI::App& app) : config(app) {
    add_number(app, "--live", live, {1, BenchStep::kMostRows},
               "context rows per stream and layer, all live, those of the block included")
        ->required();
    add_number(app, "--steps", steps, {1, 1e6}, "steps to time")->capture_default_str();
    app.add_option("--device", device, "auto, cpu or cuda: overrides the configuration's");
    app.add_flag("--json", json, "print one JSON object");
  }
  void run() const {
    const Config c = config.load(device_override(device));
    const BenchResult r = bench_step(c, live, steps);
    const std::string_view precision = precision_name(c, r.device), on = name_of(r.device);
    if (json) {
      const nlohmann::ordered_json out = {
          {"ms", r.ms},   {"tokens_per_s", r.tokens_per_s}, {"peak_bytes", r.peak_bytes}, {"live", live},
          {"device", on}, {"precision", precision}};
      fmt::print("{}\n", out.dump());
      return;
    }
    fmt::print("{} ms per step, {} tokens/s, peak {} MiB, {} rows live; {} on {}\n", figure(r.ms, 1),
               figure(r.tokens_per_s, 0), figure(static_cast<double>(r.peak_bytes) / (1 << 20), 1), live,
               precision, on);
  }
};

}  // namespace

void add_bench(CLI::App& program) {
  add_command<Bench>(program, "bench", "time, speed and memory of one training step");
}

}  // namespace fade
