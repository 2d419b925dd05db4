#include "train/trainer.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "nn/init.h"
#include "train/config/resolve.h"

namespace fade {

// Separates the randomness of dropout and span noise from that of the initial weights, which have
// the same seed.
constexpr uint64_t kStepSeed = 0x5354455053ull;

Trainer::Trainer(const Config& config, const Corpus& corpus)
    : config_(config),
      corpus_(corpus),
      identity_(corpus.identity()),
      model_(config.model, types_for(config, device_for(config.device)), device_for(config.device),
             config.seed),
      optimizer_(config.train.optimizer, model_.parameters()),
      schedule_{config.train.schedule.kind, config.train.schedule.warmup, config.train.steps,
                config.train.schedule.final},
      reader_(corpus.bytes(Split::train), config.train.batch, config.model.block, config.seed,
              corpus.name() + " (training split)"),
      random_(config.seed ^ kStepSeed),
      memory_(model_.empty_memory(config.train.batch)),
      tokens_(static_cast<size_t>(config.train.batch) * config.model.block),
      targets_(tokens_.size()) {}

BlockLoss Trainer::next_block() {
  const int64_t B = config_.train.batch, M = config_.model.block;
  if (reader_.next(tokens_, targets_)) memory_ = model_.empty_memory(B);
  return forward_backward(model_, tape_, Tensor::from(tokens_, {B, M}).to(model_.device()),
                          Tensor::from(targets_, {B * M}).to(model_.device()), memory_,
                          {.training = true, .random = &random_});
}

// One update. When anything is not finite, the norm in the result is not, and weights and step number stay.
Trainer::Step Trainer::try_step(FiniteCheck* check) {
  std::optional<Observing> observing;
  if (check) observing.emplace(tape_, *check);
  const double lr_factor = schedule_.factor(steps_done() + 1);
  model_.parameters().zero_grad();
  std::vector<BlockLoss> blocks;
  for (int i = 0; i < config_.train.accumulate; ++i) {
    if (i > 0) memory_.drop_forgotten();  // an accumulated block reads what the one before it left
    blocks.push_back(next_block());
  }
  const Tensor norm = update(model_, optimizer_, blocks, lr_factor, config_.train.clip, check);
  model_.constrain();
  memory_.drop_forgotten();  // waits for the device, which has all other work of the step by now
  // The figures, read from the device.
  const double share = 1.0 / static_cast<double>(blocks.size());
  Step step{.grad_norm = norm.item() * share, .lr = config_.train.optimizer.lr * lr_factor};
  for (const BlockLoss& block : blocks) {
    step.bits += block.loss.item() / std::numbers::ln2 * share;
    step.aux += block.aux ? block.aux.item() * share : 0;
    if (block.mean_span) step.mean_span = step.mean_span.value_or(0) + block.mean_span.item() * share;
  }
  step.mean_rows = memory_.mean_rows();
  if (std::isfinite(step.grad_norm))
    ++steps_;
  else
    optimizer_.set_steps(optimizer_.steps() - 1);
  return step;
}

Trainer::Step Trainer::step() {
  constexpr int kMaxSkipped = 20;
  for (int skipped = 0;; ++skipped) {
    // Back to where the step begins: all that it moves on besides the weights.
    const auto rewind = [this, position = reader_.position(), random = random_.state(), memory = memory_] {
      reader_.restore(position);
      random_.restore(random);
      memory_ = memory;
    };
    FiniteCheck check = finite_check();
    Step result;
    try {
      result = try_step(check_finite_ ? &check : nullptr);
    } catch (const InputError&) {  // the corpus cannot be read: nothing was updated yet
      rewind();
      throw;
    }
    if (std::isfinite(result.grad_norm)) {
      result.skipped = skipped;
      return result;
    }
    if (config_.train.on_nonfinite == OnNonfinite::stop || skipped == kMaxSkipped)
      stop_nonfinite(rewind, result);
    ++skipped_;
    memory_ = model_.empty_memory(config_.train.batch);  // its rows may not be finite
  }
}

// Repeats the failed step with every tensor checked, to name the first that is not finite.
void Trainer::stop_nonfinite(const std::function<void()>& rewind, const Step& failed) {
  FiniteCheck check = finite_check();
  rewind();
  try_step(&check);
  rewind();
  throw NonfiniteError(fmt::format(
      "step {}: the loss is {} bits and the gradient norm {}{}; the first tensor that is not finite: "
      "{} (lower train.optimizer.lr, {} train.clip, lengthen train.schedule.warmup, "
      "or set train.on_nonfinite: skip)",
      steps_done() + 1, failed.bits, failed.grad_norm,
      config_.train.on_nonfinite == OnNonfinite::skip ? ", time after time" : "",
      check.finding().empty() ? "none, but the sum of the gradient's squares overflows" : check.finding(),
      config_.train.clip > 0 ? "lower" : "set"));
}

FiniteCheck Trainer::finite_check() const {
  return FiniteCheck([this](const Tensor& leaf) {
    std::string names;  // several parameters may share a leaf
    for (const Parameter& p : model_.parameters().all())
      if (p.leaf.impl() == leaf.impl()) names += (names.empty() ? "" : " + ") + p.name;
    return names;
  });
}

void Trainer::check_state() const {
  const TrainState now = state();
  std::vector<NamedTensor> tensors = now.weights;
  tensors.insert(tensors.end(), now.optimizer.begin(), now.optimizer.end());
  for (size_t l = 0; l < memory_.layers(); ++l)
    tensors.push_back({fmt::format("the memory of layer {}", l), memory_[l].rows});
  for (const auto& [name, t] : tensors)
    if (const std::string what = not_finite(t); !what.empty())
      throw NonfiniteError(
          fmt::format("step {}: {} {}: {} after the update "
                      "(lower train.optimizer.lr, {} train.clip, or lengthen train.schedule.warmup)",
                      steps_done(), name, t.shape().str(), what, config_.train.clip > 0 ? "lower" : "set"));
}

Bytes Trainer::validation_text() const {
  const Bytes all = corpus_.bytes(Split::valid);
  const auto limit = static_cast<size_t>(config_.train.eval_bytes);
  return limit && limit < all.size() ? all.part(0, limit) : all;
}

EvalResult Trainer::validate(const std::function<void(const EvalBlock&)>& on_block) const {
  const auto text = validation_text();
  const int64_t room = static_cast<int64_t>(text.size()) - 1;
  const int streams = static_cast<int>(std::clamp<int64_t>(room, 1, config_.train.batch));
  return evaluate(model_, text, corpus_.name() + " (validation split)",
                  {.streams = streams, .on_block = on_block});
}

TrainState Trainer::state() const {
  TrainState state{.steps = steps_done(),
                   .skipped = skipped_,
                   .position = reader_.position(),
                   .random_stream = random_.state().stream,
                   .memory = memory_,
                   .optimizer_steps = optimizer_.steps(),
                   .corpus = identity_,
                   .corpus_since = corpus_since_};
  for (const Parameter& p : model_.parameters().all()) state.weights.push_back({p.name, p.value()});
  for (const Parameter& p : optimizer_.state()) state.optimizer.push_back({p.name, p.value()});
  return state;
}

void Trainer::restore(const TrainState& state) {
  const auto copy = [](const std::vector<NamedTensor>& from, const std::vector<Parameter>& to) {
    for (size_t i = 0; i < to.size(); ++i) to[i].value().copy_from(from.at(i).tensor);
  };
  reader_.restore(state.position);
  random_.restore({random_.state().seed, state.random_stream});
  memory_ = state.memory;
  copy(state.weights, model_.parameters().all());
  if (state.optimizer.empty())
    for (const Parameter& p : optimizer_.state()) init_constant(p.value(), 0);
  else
    copy(state.optimizer, optimizer_.state());
  optimizer_.set_steps(state.optimizer_steps);
  steps_ = state.steps;
  skipped_ = state.skipped;
  corpus_since_ = state.corpus_since;
}

}  // namespace fade
