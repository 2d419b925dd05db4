// `fade bench`: time and memory of one training step with a memory of a given size.
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "nn/init.h"
#include "train/config/resolve.h"
#include "train/figure.h"
#include "train/forward_backward.h"
#include "train/median.h"
#include "train/progress.h"

namespace fade {
namespace {

constexpr int kWarmUp = 3;
constexpr int kMostRows = 1 << 19;  // model.max_span may be twice that

// A random memory of `rows` rows per stream and layer, at the positions just before the block.
Memory full_memory(const Transformer& model, int64_t streams, int64_t rows, Generator& random) {
  Memory memory = model.empty_memory(streams);
  std::vector<int32_t> age(static_cast<size_t>(streams * rows)), start(static_cast<size_t>(streams) + 1);
  for (size_t j = 0; j < age.size(); ++j)
    age[j] = static_cast<int32_t>(rows - static_cast<int64_t>(j) % rows);
  for (size_t b = 0; b < start.size(); ++b) start[b] = static_cast<int32_t>(static_cast<int64_t>(b) * rows);
  for (size_t l = 0; l < memory.layers(); ++l) {
    const Tensor h = Tensor::empty({streams * rows, model.config().hidden}, model.dtype(), model.device());
    init_normal(h, random.next());
    memory.set(l, {h, Tensor::from(age, {streams * rows}).to(model.device()),
                   Tensor::from(start, {streams + 1}).to(model.device()), rows});
  }
  return memory;
}

// Every row's span becomes 3/4 of max_span: weight 0, bias sigmoid⁻¹(3/4).
void make_all_live(const Parameters& parameters) {
  for (const Parameter& p : parameters.all()) {
    if (p.name.ends_with("span.weight")) init_constant(p.value(), 0);
    if (p.name.ends_with("span.bias")) init_constant(p.value(), std::log(3.0));
    if (p.name.ends_with("span.ratio")) init_constant(p.value(), 0.75);
  }
}

Tensor random_tokens(const Shape& shape, int vocab, RngKey key, Device device) {
  std::vector<int32_t> tokens(static_cast<size_t>(shape.numel()));
  for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<int32_t>(uniform_f64(key, i) * vocab);
  return Tensor::from(tokens, shape).to(device);
}

struct BenchResult {
  double ms = 0;            ///< median over the timed steps
  double tokens_per_s = 0;  ///< B·M / median
  int64_t peak_bytes = 0;   ///< highest live bytes of tensors, weights and optimizer included
};

/// Times training steps (forward, backward, clipping, update) in which every layer and stream has exactly
/// `live` context rows, M of them the block's own, all seen by all later queries: spans are set to 3/4 of
/// max_span, which is raised to 2·live if it is smaller. Tokens and memory are random; memory is the same in
/// every step; three warm-up steps are not counted. Throws InputError unless live ≥ M.
BenchResult bench_step(const Config& given, int64_t live, int steps) {
  Config config = given;
  const int64_t B = config.train.batch, M = config.model.block;
  if (live < M) refuse("--live {}: a context has at least the block's own {} rows (model.block)", live, M);
  config.train.optimizer.lr = 0;    // spans stay as they are set, so that every step does the same work
  config.model.span.noisy = false;  // noise would shorten the spans of rows that must be live
  if (config.model.max_span < 2 * live) config.model.max_span = static_cast<int>(2 * live);
  const Transformer model(config.model, dtype_for(config.dtype), device_for(config.device), config.seed);
  Optimizer optimizer(config.train.optimizer, model.parameters());
  make_all_live(model.parameters());

  Generator random(config.seed);
  const Memory memory = full_memory(model, B, live - M, random);
  const Tensor tokens = random_tokens({B, M}, config.model.vocab, random.next(), model.device());
  const Tensor targets = random_tokens({B * M}, config.model.vocab, random.next(), model.device());
  Tape tape;
  std::vector<double> ms;
  reset_peak(model.device());
  for (int i = 0; i < kWarmUp + steps; ++i) {
    const auto start = std::chrono::steady_clock::now();
    Memory now = memory;
    model.parameters().zero_grad();
    const BlockLoss block =
        forward_backward(model, tape, tokens, targets, now, {.training = true, .random = &random});
    const Tensor norm = update(model, optimizer, {&block, 1}, 1, config.train.clip);
    model.constrain();
    now.drop_forgotten();  // waits for the device, as a training step does
    norm.item();
    if (i >= kWarmUp) ms.push_back(1000 * seconds_since(start));
  }
  const double middle = median(ms);
  return {middle, 1000.0 * B * M / middle, memory_stats(model.device()).peak};
}

struct Bench {
  ConfigArguments config;
  std::string device;
  int64_t live = 0;
  int steps = 20;
  bool json = false;

  explicit Bench(CLI::App& app) : config(app) {
    add_number(app, "--live", live, {1, kMostRows},
               "context rows per stream and layer, all live, those of the block included")
        ->required();
    add_number(app, "--steps", steps, {1, 1e6}, "steps to time")->capture_default_str();
    app.add_option("--device", device, "auto, cpu or cuda: overrides the configuration's");
    app.add_flag("--json", json, "print one JSON object");
  }
  void run() const {
    const BenchResult r = bench_step(config.load(device_override(device)), live, steps);
    if (json) {
      const nlohmann::ordered_json out = {
          {"ms", r.ms}, {"tokens_per_s", r.tokens_per_s}, {"peak_bytes", r.peak_bytes}, {"live", live}};
      fmt::print("{}\n", out.dump());
      return;
    }
    fmt::print("{} ms per step, {} tokens/s, peak {} MiB, {} rows live\n", figure(r.ms, 1),
               figure(r.tokens_per_s, 0), figure(static_cast<double>(r.peak_bytes) / (1 << 20), 1), live);
  }
};

}  // namespace

void add_bench(CLI::App& program) {
  add_command<Bench>(program, "bench", "time, speed and memory of one training step");
}

}  // namespace fade
