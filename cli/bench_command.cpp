// `fade bench`: time and memory of one training step.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/bench.h"
#include "cli/command.h"
#include "cli/figure.h"

namespace fade {
namespace {

struct Bench final : Command {
  ConfigArguments config;
  std::string device;
  int64_t live = 0;
  int steps = 20;
  bool json = false;

  explicit Bench(CLI::App& app) {
    config.declare(app);
    app.add_option("--live", live, "context rows per stream and layer, all live, those of the block included")
        ->required();
    app.add_option("--steps", steps, "steps to time")->check(CLI::PositiveNumber)->capture_default_str();
    app.add_option("--device", device, "auto, cpu or cuda: overrides the configuration's");
    app.add_flag("--json", json, "print one JSON object");
  }
  void run() override {
    const Config c =
        config.load(device.empty() ? std::vector<std::string>{} : std::vector{"device=" + device});
    set_threads(c.threads);
    const BenchResult r = bench_step(c, live, steps);
    if (json) {
      const nlohmann::ordered_json out = {
          {"ms", r.ms}, {"tokens_per_s", r.tokens_per_s}, {"peak_bytes", r.peak_bytes}, {"live", r.live}};
      fmt::print("{}\n", out.dump());
      return;
    }
    fmt::print("{} ms per step, {:.0f} tokens/s, peak {:.1f} MiB, {} rows live\n", figure(r.ms, 1),
               r.tokens_per_s, static_cast<double>(r.peak_bytes) / (1 << 20), r.live);
  }
};

}  // namespace

std::unique_ptr<Command> make_bench(CLI::App& app) { return std::make_unique<Bench>(app); }

}  // namespace fade
