#include "train/trainer.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "ops/elementwise/elementwise.h"
#include "train/forward_backward.h"

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

BlockLoss Trainer::next_block() {
  const int64_t B = config_.train.batch, M = config_.model.block;
  if (reader_.next(tokens_, targets_)) memory_ = model_.empty_memory(B);
  return forward_backward(model_, tape_, Tensor::from(tokens_, {B, M}).to(model_.device()),
                          Tensor::from(targets_, {B * M}).to(model_.device()), memory_,
                          {.training = true, .random = &random_});
}

// One update. If anything is not finite, so is the norm of the result, and weights and step are as they were.
Trainer::Step Trainer::attempt(FiniteCheck* check) {
  std::optional<Observing> observing;
  if (check) observing.emplace(tape_, *check);
  const TrainConfig& t = config_.train;
  const double share = 1.0 / t.accumulate;
  model_.parameters().zero_grad();
  std::vector<BlockLoss> blocks;
  Tensor loss;  // [] Σ over blocks
  for (int i = 0; i < t.accumulate; ++i) {
    blocks.push_back(next_block());
    loss = loss ? loss + blocks.back().loss : blocks.back().loss;
  }
  // 0·loss is NaN iff the loss is not finite: then, too, the update leaves the weights alone.
  Tensor norm = grad_norm(model_.parameters().leaves()) + loss.to(DType::f64) * 0;
  if (check && !check->finding().empty()) norm = norm * NAN;
  const double factor = schedule_.factor(steps_done() + 1);
  optimizer_.step(factor, {share, t.clip}, norm);
  model_.constrain();

  // All the device's work is under way; from here on the host waits for numbers.
  Step result{.grad_norm = norm.item() * share, .lr = t.optimizer.lr * factor};
  for (const BlockLoss& block : blocks) {
    result.bits += block.loss.item() / std::numbers::ln2 * share;
    result.aux += block.aux ? block.aux.item() * share : 0;
    result.mean_span += block.mean_span ? block.mean_span.item() * share : 0;
  }
  result.mean_rows = memory_.mean_rows();
  if (!std::isfinite(result.grad_norm)) optimizer_.set_steps(steps_done() - 1);
  return result;
}

Trainer::Step Trainer::step() {
  constexpr int kMostSkipped = 20;
  for (int skipped = 0;; ++skipped) {
    const Start before = start();
    FiniteCheck check([this](const Tensor& leaf) { return name_of_leaf(leaf); });
    Step result = attempt(check_finite_ ? &check : nullptr);
    if (std::isfinite(result.grad_norm)) {
      result.skipped = skipped;
      return result;
    }
    if (config_.train.on_nonfinite == OnNonfinite::stop || skipped == kMostSkipped) stop(before, result);
    ++skipped_;
    memory_ = model_.empty_memory(config_.train.batch);  // it may hold what was not finite
  }
}

void Trainer::stop(const Start& before, const Step& failed) {
  FiniteCheck check([this](const Tensor& leaf) { return name_of_leaf(leaf); });
  go_back_to(before);
  attempt(&check);
  go_back_to(before);
  throw NonfiniteError(fmt::format(
      "step {}: the loss is {} bits and the gradient norm {}{}; the first tensor that is not finite: {} "
      "(lower "
      "train.optimizer.lr or train.clip, lengthen train.schedule.warmup, or set train.on_nonfinite: skip)",
      steps_done() + 1, failed.bits, failed.grad_norm,
      config_.train.on_nonfinite == OnNonfinite::skip ? ", time after time" : "",
      check.finding().empty() ? "none, but the sum of the gradient's squares overflows" : check.finding()));
}

void Trainer::go_back_to(const Start& start) {
  reader_.restore(start.position);
  random_.restore(start.random);
  memory_ = start.memory;
}

std::string Trainer::name_of_leaf(const Tensor& leaf) const {
  std::string names;
  for (const Parameter& p : model_.parameters().all())
    if (p.leaf.impl() == leaf.impl()) names += (names.empty() ? "" : " + ") + p.name;
  return names;
}

void Trainer::check_weights() const {
  for (const Parameter& p : model_.parameters().all())
    if (const std::string what = not_finite(p.value()); !what.empty())
      throw NonfiniteError(fmt::format(
          "step {}: {} {}: {} after the update (lower train.optimizer.lr, or lengthen train.schedule.warmup)",
          steps_done(), p.name, p.value().shape().str(), what));
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

bool Trainer::note_validation(double bits_per_byte) {
  if (best_ && best_->bits_per_byte <= bits_per_byte) return false;
  best_ = {bits_per_byte, steps_done()};
  return true;
}

void Trainer::save(const std::filesystem::path& run) const {
  const RunState state{steps_done(), random_.state(), reader_.position(), memory_, best_, skipped_};
  save_checkpoint(run, model_, optimizer_, state, config_);
}

void Trainer::restore(const Checkpoint& checkpoint) {
  set_weights(checkpoint.weights, checkpoint.folder, model_);
  RunState state = restore_state(checkpoint, model_, optimizer_);
  if (state.memory.streams() != config_.train.batch)
    refuse("{}: was trained on {} streams, train.batch is {} (leave train.batch as it was to resume)",
           checkpoint.folder.string(), state.memory.streams(), config_.train.batch);
  memory_ = std::move(state.memory);
  random_.restore({random_.state().seed, state.random.stream});
  reader_.restore(state.position);
  best_ = state.best;
  skipped_ = state.skipped;
}

}  // namespace fade
