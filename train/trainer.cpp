#include "train/trainer.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "ops/cross_entropy/cross_entropy.h"
#include "ops/elementwise/elementwise.h"

namespace fade {
namespace {

// Streams of randomness of one seed: the model's initial values, the steps' dropout and noise, the reader's
// offsets.
constexpr uint64_t kStepSeed = 0x5354455053ull;

}  // namespace

Trainer::Trainer(const Config& config, const Corpus& corpus)
    : config_(config),
      corpus_(corpus),
      model_(config.model, resolve(config.dtype), resolve(config.device), config.seed),
      optimizer_(config.train.optimizer, model_.parameters()),
      schedule_{config.train.schedule.kind, config.train.schedule.warmup, config.train.steps,
                config.train.schedule.final},
      reader_(corpus.bytes(Split::train), config.train.batch, config.model.block, config.seed,
              corpus.name() + " (training split)"),
      random_(config.seed ^ kStepSeed),
      memory_(model_.empty_memory(config.train.batch)),
      tokens_(static_cast<size_t>(config.train.batch) * config.model.block),
      targets_(tokens_.size()) {}

void Trainer::accumulate_gradients(Step& result) {
  const int64_t B = config_.train.batch, M = config_.model.block;
  if (reader_.next(tokens_, targets_)) memory_ = model_.empty_memory(B);
  const Recording on(tape_);
  StepReport report;
  const Tensor x = Tensor::from(tokens_, {B, M}).to(model_.device());
  const Tensor y = Tensor::from(targets_, {B * M}).to(model_.device());
  const StepOptions options{.training = true, .random = &random_};
  const Tensor loss = cross_entropy(model_.forward(x, memory_, options, report), y);
  backward(report.aux ? loss + report.aux : loss);

  const double share = 1.0 / config_.train.accumulate;
  result.bits += loss.item() / std::numbers::ln2 * share;
  result.aux += report.aux ? report.aux.item() * share : 0;
  result.mean_span += report.mean_span() * share;
  result.mean_rows += mean_rows(memory_) * share;
}

Trainer::Step Trainer::step() {
  const TrainConfig& t = config_.train;
  Step result;
  model_.parameters().zero_grad();
  for (int i = 0; i < t.accumulate; ++i) accumulate_gradients(result);
  result.grad_norm = grad_norm(model_.parameters().leaves()) / t.accumulate;
  if (!std::isfinite(result.bits) || !std::isfinite(result.grad_norm))
    fail(
        "step {}: the loss is {} bits and the gradient norm {} (lower train.optimizer.lr or train.clip, or "
        "lengthen "
        "train.schedule.warmup)",
        steps_done() + 1, result.bits, result.grad_norm);
  const double clip = t.clip > 0 && result.grad_norm > t.clip ? t.clip / result.grad_norm : 1;
  const double factor = schedule_.factor(steps_done() + 1);
  result.lr = t.optimizer.lr * factor;
  optimizer_.step(factor, clip / t.accumulate);
  return result;
}

std::span<const uint8_t> Trainer::validation_text() const {
  const auto all = corpus_.bytes(Split::valid);
  const auto limit = static_cast<size_t>(config_.train.eval_bytes);
  return limit && limit < all.size() ? all.first(limit) : all;
}

EvalResult Trainer::validate(const std::function<void(const EvalBlock&)>& on_block) const {
  const auto text = validation_text();
  const int64_t room = static_cast<int64_t>(text.size()) - 1;
  const int streams = static_cast<int>(std::clamp<int64_t>(room, 1, config_.train.batch));
  return evaluate(model_, text, corpus_.name() + " (validation split)",
                  {.streams = streams, .on_block = on_block});
}

void Trainer::save(const std::filesystem::path& run) const {
  const RunState state{steps_done(), random_.state(), reader_.position(), memory_};
  save_checkpoint(run, model_, optimizer_, state, config_);
}

void Trainer::restore(const std::filesystem::path& checkpoint) {
  load_weights(find_weights(checkpoint), model_);
  RunState state = load_state(checkpoint, model_, optimizer_);
  for (const LayerMemory& layer : state.memory)
    if (layer.streams() != config_.train.batch)
      refuse("{}: was trained on {} streams, train.batch is {} (leave train.batch as it was to resume)",
             checkpoint.string(), layer.streams(), config_.train.batch);
  memory_ = std::move(state.memory);
  random_.restore({random_.state().seed, state.random.stream});
  reader_.restore(state.position);
}

}  // namespace fade
