// Trains and watches the memory of the process, first at full spans, then while spans shrink and grow. Once
// every size has occurred, memory must stay flat to 1 %. scripts/soak.sh runs it for half an hour, the test
// `soak` for some seconds per part.
//   fade_soak [MINUTES]      default 30
#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <numbers>
#include <string>

#include "nn/init.h"
#include "train/trainer.h"

namespace fade::test {
namespace {

/// Memory of the process without mapped files, in bytes.
int64_t resident() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("RssAnon:")) return std::stoll(line.substr(8)) * 1024;
  fail("/proc/self/status has no RssAnon (a kernel before 4.5?)");
}

Config soak_config() {
  Config c;
  c.device = DeviceChoice::cpu;  // the spans are set from outside
  c.model.layers = 2;
  c.model.heads = 2;
  c.model.span.pre_div = 1;
  c.model.hidden = 64;
  c.model.ff = 128;
  c.model.block = 32;
  c.model.max_span = 512;
  c.model.span.ramp = 32;
  c.model.vocab = c.data.vocab = 128;
  c.model.dropout = 0.1;
  c.data.kind = DataKind::recall;
  c.train.batch = 8;
  c.train.schedule.warmup = 0;
  return c;
}

/// Sets the span of every row to a share of max_span: weight 0, bias sigmoid⁻¹(share).
void set_spans(const Transformer& model, double share) {
  for (const Parameter& p : model.parameters().all()) {
    if (p.name.ends_with("span.weight")) init_constant(p.value(), 0);
    if (p.name.ends_with("span.bias")) init_constant(p.value(), std::log(share / (1 - share)));
  }
}

/// Trains for `minutes` with spans of share(step), a function with the period `period`. False if memory grew
/// after the first tenth of the time.
template <class F>
bool soak(const char* name, double minutes, int64_t period, const F& share) {
  const Config config = soak_config();
  const Corpus corpus(config.data);
  Trainer trainer(config, corpus);
  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / (60 * minutes);
  };
  int64_t settled = 0, highest = 0;
  double fewest = 1e9, most = 0;
  for (int64_t step = 0; elapsed() < 1 || step < 2 * period; ++step) {
    set_spans(trainer.model(), share(step));
    const Trainer::Step s = trainer.step();
    const int64_t now = resident();
    if (step < period || elapsed() < 0.1) {
      settled = std::max(settled, now);
      continue;
    }
    highest = std::max(highest, now);
    fewest = std::min(fewest, s.mean_rows);
    most = std::max(most, s.mean_rows);
  }
  const double growth = static_cast<double>(highest) / static_cast<double>(settled) - 1;
  const bool flat = growth <= 0.01;
  fmt::print(
      "{:<16} {:7} steps, {:.0f} to {:.0f} rows per stream and layer: "
      "{:.1f} MiB at first, {:.1f} later ({:+.2f} %){}\n",
      name, trainer.steps_done(), fewest, most, static_cast<double>(settled) / (1 << 20),
      static_cast<double>(highest) / (1 << 20), 100 * growth, flat ? "" : "  GREW BY MORE THAN 1 %");
  return flat;
}

int run(double minutes) {
  const bool full = soak("full spans", minutes / 2, 100, [](int64_t) { return 0.999; });
  const bool waves = soak("shrink and grow", minutes / 2, 120, [](int64_t step) {
    return 0.5 - 0.49 * std::cos(2 * std::numbers::pi * static_cast<double>(step) / 120);
  });
  return full && waves ? 0 : 1;
}

}  // namespace
}  // namespace fade::test

int main(int argc, char** argv) {
  const double minutes = argc > 1 ? std::atof(argv[1]) : 30;
  if (argc > 2 || !(minutes > 0)) {
    fmt::print(stderr, "fade_soak [MINUTES]: MINUTES is a number above 0\n");
    return 2;
  }
  return fade::test::run(minutes);
}
