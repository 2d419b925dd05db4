// `fade bench`: time and memory of one training step with a memory of a given size.
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/command.h"
#include "engine/median.h"
#include "train/bench_step.h"
#include "train/figure.h"
#include "train/job.h"

namespace fade {
namespace {

/// Of all ranks together.
struct BenchResult {
  double ms = 0;            ///< median over the timed steps; a step is as long as that of the slowest rank
  double tokens_per_s = 0;  ///< B·M / median
  double peak_bytes = 0;    ///< highest live bytes of tensors, weights and optimizer included, on any rank
  double ms_waited = 0;     ///< median over the timed steps: mean time that ranks waited for others
  size_t bytes_sent = 0;    ///< by each rank in a step
};

/// Times `steps` steps after the warm-up.
BenchResult bench_step(const Config& config, Device device, int64_t live, int steps, const Ranks& ranks) {
  std::optional<BenchStep> step;
  ranks.together([&] { step.emplace(config, live, ranks); });
  std::vector<double> ms, waited;
  ranks.take_part([&] {
    for (int i = 0; i < BenchStep::kWarmUp; ++i) step->run();
    for (int i = 0; i < steps; ++i) {
      ms.push_back(step->run());
      waited.push_back(step->sum() ? 1000 * step->sum()->seconds_waited() / ranks.count() : 0);
    }
  });
  BenchResult r{.peak_bytes = static_cast<double>(memory_stats(device).peak)};
  ranks.max(ms);
  ranks.sum(waited);
  ranks.max(std::span(&r.peak_bytes, 1));
  r.ms = median(ms);
  r.tokens_per_s = 1000.0 * config.train.batch * config.model.block / r.ms;
  r.ms_waited = median(waited);
  if (step->sum()) r.bytes_sent = step->sum()->bytes_sent();
  return r;
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
  void run(const Ranks& ranks) const {
    Config c;
    ranks.together([&] {
      refuse_for_one_rank(ranks, "CONFIG", config.path);
      c = config.load(device_override(device));
    });
    require_same(c, ranks);
    ranks.require_same("--live, --steps", fmt::format("{}, {}", live, steps), "give all ranks the same");
    const Device on = device_for(c.device, ranks);
    const BenchResult r = bench_step(c, on, live, steps, ranks);
    if (ranks.leads()) print(r, precision_name(c, on), name_of(on), ranks);
  }

 private:
  void print(const BenchResult& r, std::string_view precision, std::string_view on,
             const Ranks& ranks) const {
    const int count = ranks.count();
    if (json) {
      nlohmann::ordered_json out = {{"ms", r.ms},
                                    {"tokens_per_s", r.tokens_per_s},
                                    {"peak_bytes", static_cast<int64_t>(r.peak_bytes)},
                                    {"live", live},
                                    {"device", on},
                                    {"precision", precision}};
      if (count > 1) out.update({{"ranks", count}, {"bytes_sent", r.bytes_sent}, {"ms_waited", r.ms_waited}});
      fmt::print("{}\n", out.dump());
      return;
    }
    fmt::print("{} ms per step, {} tokens/s, peak {} MiB, {} rows live; {} on {}\n", figure(r.ms, 1),
               figure(r.tokens_per_s, 0), figure(r.peak_bytes / (1 << 20), 1), live, precision, on);
    if (count > 1)
      fmt::print("{} ranks: each sends {} MB per step, and waits {} ms for the others\n", count,
                 figure(static_cast<double>(r.bytes_sent) / 1e6, 1), figure(r.ms_waited, 1));
  }
};

}  // namespace

void add_bench(Program& program) {
  add_command<Bench>(program, "bench", "time, speed and memory of one training step");
}

}  // namespace fade
