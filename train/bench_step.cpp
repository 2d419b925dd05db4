#include "train/bench_step.h"

#include <chrono>
#include <cmath>
#include <numeric>

#include "engine/median.h"
#include "engine/module_scope.h"
#include "nn/init.h"
#include "ops/embedding/embedding.h"
#include "train/config/resolve.h"
#include "train/forward_backward.h"
#include "train/job.h"
#include "train/progress.h"

namespace fade {
namespace {

Config adapted(Config config, int64_t live) {
  if (live < config.model.block)
    refuse("--live {}: a context has at least the block's own {} rows (model.block)", live,
           config.model.block);
  config.train.optimizer.lr = 0;    // spans stay as they are set, so that every step does the same work
  config.model.span.noisy = false;  // noise would shorten the spans of rows that must be live
  if (config.model.max_span < 2 * live) config.model.max_span = static_cast<int>(2 * live);
  return config;
}

Tensor random_tokens(const Shape& shape, int vocab, RngKey key, Device device) {
  std::vector<int32_t> tokens(static_cast<size_t>(shape.numel()));
  for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<int32_t>(uniform_f64(key, i) * vocab);
  return Tensor::from(tokens, shape).to(device);
}

// A random memory of `rows` rows per stream and layer, at the positions just before the block. Each row is one of
// a few thousand random ones: normal numbers are drawn on the host, all of them would take longer than the steps.
Memory full_memory(const Transformer& model, int64_t streams, int64_t rows, Generator& random) {
  constexpr int kDifferent = 4096;
  Memory memory = model.empty_memory(streams);
  std::vector<int32_t> age(static_cast<size_t>(streams * rows)), start(static_cast<size_t>(streams) + 1);
  for (size_t j = 0; j < age.size(); ++j)
    age[j] = static_cast<int32_t>(rows - static_cast<int64_t>(j) % rows);
  for (size_t b = 0; b < start.size(); ++b) start[b] = static_cast<int32_t>(static_cast<int64_t>(b) * rows);
  const Tensor table = Tensor::empty({kDifferent, model.config().hidden}, model.dtype(), model.device());
  init_normal(table, random.next());
  for (size_t l = 0; l < memory.layers(); ++l) {
    const Tensor picks = random_tokens({streams * rows}, kDifferent, random.next(), model.device());
    memory.set(l, {embedding(table, picks).to(model.types().activations),
                   Tensor::from(age, {streams * rows}).to(model.device()),
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

}  // namespace

BenchStep::BenchStep(const Config& config, int64_t live, const Ranks& ranks,
                     std::unique_ptr<Transformer> weights)
    : config_(adapted(config, live)),
      own_(own_streams(config_.train.batch, ranks)),
      model_(config_.model, types_for(config_, device_for(config_.device)), device_for(config_.device),
             config_.seed),
      optimizer_(config_.train.optimizer, model_.parameters()),
      random_(config_.seed),
      memory_(full_memory(model_, own_.count, live - config_.model.block, random_)),
      tokens_(random_tokens({own_.count, config_.model.block}, config_.model.vocab, random_.next(),
                            model_.device())),
      targets_(random_tokens({own_.count * config_.model.block}, config_.model.vocab, random_.next(),
                             model_.device())) {
  if (ranks.count() > 1) sum_.emplace(model_.parameters(), ranks);
  if (weights)
    for (const Parameter& p : model_.parameters().all())
      if (const Tensor trained = weights->parameters().find(p.name).value();
          trained.shape() == p.value().shape())
        p.value().copy_from(trained);
  weights.reset();
  make_all_live(model_.parameters());
  reset_peak(model_.device());
}

double BenchStep::run() {
  const ModuleScope scope("step");
  const auto start = std::chrono::steady_clock::now();
  Memory now = memory_;
  model_.parameters().zero_grad();
  GradientSum* const sum = sum_ ? &*sum_ : nullptr;
  const BlockLoss block =
      forward_backward(model_, tape_, tokens_, targets_, now,
                       {.training = true, .random = &random_, .first_stream = own_.first}, sum);
  const Tensor norm = update(model_, optimizer_, {&block, 1}, 1, config_.train.clip, nullptr, sum);
  model_.constrain();
  now.drop_forgotten();  // waits for the device, as a training step does
  norm.item();
  return 1000 * seconds_since(start);
}

std::vector<NamedTensor> BenchStep::data() const {
  std::vector<NamedTensor> data{{"tokens", tokens_}, {"targets", targets_}};
  for (size_t l = 0; l < memory_.layers(); ++l) {
    const LayerMemory& m = memory_[l];
    const std::string name = fmt::format("layers.{}.memory", l);
    data.insert(data.end(), {{name, m.rows}, {name + ".age", m.age}, {name + ".start", m.start}});
  }
  return data;
}

std::vector<NamedTensor> BenchStep::given() const {
  std::vector<NamedTensor> given = data();
  for (const Parameter& p : model_.parameters().all()) given.push_back({p.name, p.leaf});
  return given;
}

double training_speed(const Config& config) {
  constexpr double kMostMs = 250;
  constexpr size_t kMostSteps = 8;
  BenchStep step(config, 2 * config.model.block);
  step.run();  // warms up
  std::vector<double> ms;
  do ms.push_back(step.run());
  while (ms.size() < kMostSteps && std::reduce(ms.begin(), ms.end()) < kMostMs);
  return 1000.0 * config.train.batch * config.model.block / median(ms);
}

}  // namespace fade
