#include "train/trainer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "nn/init.h"
#include "train/config/resolve.h"
#include "train/data/input_noise.h"
#include "train/divided_memory.h"
#include "train/job.h"
#include "train/unigram_init.h"

namespace fade {

// Separates the randomness of dropout and noise from that of the initial weights, which have the same seed.
constexpr uint64_t kStepSeed = 0x5354455053ull;

static Schedule schedule_of(const TrainConfig& train) {
  const ScheduleConfig& s = train.schedule;
  return {.kind = s.kind, .warmup = s.warmup, .steps = train.steps, .final = s.final, .decay = s.decay};
}

static ReadingOrder order_of(const Config& config) {
  return {.streams = config.train.batch,
          .block = config.model.block,
          .turns = config.train.turns,
          .chunk_bytes = config.train.chunk_bytes,
          .seed = config.seed};
}

Trainer::Trainer(const Config& config, const Corpus& corpus, const Ranks& ranks)
    : config_(config),
      corpus_(corpus),
      ranks_(ranks),
      own_(own_streams(config.train.batch, ranks)),
      identity_(corpus.identity()),
      model_(config.model, types_for(config, device_for(config.device)), device_for(config.device),
             config.seed),
      optimizer_(config.train.optimizer, model_.parameters()),
      schedule_(schedule_of(config.train)),
      reader_(corpus.bytes(Split::train), order_of(config), corpus.name() + " (training split)", ranks),
      random_(config.seed ^ kStepSeed),
      memories_(static_cast<size_t>(config.train.turns), model_.empty_memory(own_.count)),
      tokens_(static_cast<size_t>(own_.count) * config.model.block),
      targets_(tokens_.size()) {
  if (ranks.count() > 1) sum_.emplace(model_.parameters(), ranks);
  if (config.train.unigram_init) begin_with_frequencies(model_, corpus.bytes(Split::train));
}

template <class F>
auto Trainer::on_all_ranks(Order order, const F& work) const {
  if (ranks_.leads()) ranks_.broadcast(order);
  return ranks_.take_part(work);
}

BlockLoss Trainer::next_block(GradientSum* sum) {
  const int64_t b = own_.count, M = config_.model.block;
  Memory& memory = memories_[static_cast<size_t>(reader_.position().turn)];
  bool epoch_begins = false;
  ranks_.together([&] { epoch_begins = reader_.next(tokens_, targets_); });
  if (epoch_begins) memory = model_.empty_memory(b);
  if (const double p = config_.train.input_noise; p > 0)
    add_input_noise(tokens_, static_cast<size_t>(M), p, random_.next(), static_cast<size_t>(own_.first));
  return forward_backward(model_, tape_, Tensor::from(tokens_, {b, M}).to(model_.device()),
                          Tensor::from(targets_, {b * M}).to(model_.device()), memory,
                          {.training = true, .random = &random_, .first_stream = own_.first}, sum);
}

// One update. When anything is not finite, the norm in the result is not, and weights and step number stay.
Trainer::Step Trainer::try_step(FiniteCheck* check) {
  std::optional<Observing> observing;
  if (check) observing.emplace(tape_, *check);
  const double lr_factor = schedule_.factor(steps_done() + 1);
  model_.parameters().zero_grad();
  GradientSum* const sum = sum_ ? &*sum_ : nullptr;
  std::vector<BlockLoss> blocks;
  const auto drop_forgotten = [&] { std::ranges::for_each(memories_, &Memory::drop_forgotten); };
  for (int i = 0; i < config_.train.accumulate; ++i) {
    if (i > 0) drop_forgotten();  // an accumulated block reads what the one before it left
    blocks.push_back(next_block(sum && i + 1 == config_.train.accumulate ? sum : nullptr));
  }
  const Tensor norm = update(model_, optimizer_, blocks, lr_factor, config_.train.clip, check, sum);
  model_.constrain();
  drop_forgotten();  // waits for the device, which has all other work of the step by now
  // The figures, read from the device.
  const double share = 1.0 / static_cast<double>(blocks.size() * static_cast<size_t>(ranks_.count()));
  Step step{.grad_norm = norm.item() * share, .lr = config_.train.optimizer.lr * lr_factor};
  enum : size_t { kBits, kAux, kSpan, kRows, kFigures };
  std::array<double, kFigures> figures{};
  for (const BlockLoss& block : blocks) {
    figures[kBits] += block.loss.item() / std::numbers::ln2 * share;
    figures[kAux] += block.aux ? block.aux.item() * share : 0;
    figures[kSpan] += block.mean_span ? block.mean_span.item() * share : 0;
  }
  for (const Memory& memory : memories_)
    figures[kRows] += memory.mean_rows() / static_cast<double>(memories_.size()) / ranks_.count();
  ranks_.sum(figures);
  step.bits = figures[kBits];
  step.aux = figures[kAux];
  if (blocks.front().mean_span) step.mean_span = figures[kSpan];
  step.mean_rows = figures[kRows];
  if (std::isfinite(step.grad_norm))
    ++steps_;
  else
    optimizer_.set_steps(optimizer_.steps() - 1);
  return step;
}

Trainer::Step Trainer::step() {
  return on_all_ranks(Order::step, [this] { return step_once(); });
}

Trainer::Step Trainer::step_once() {
  constexpr int kMaxSkipped = 20;
  for (int skipped = 0;; ++skipped) {
    // Back to where the step begins: all that it moves on besides the weights.
    const auto rewind = [this, position = reader_.position(), random = random_.state(),
                         memories = memories_] {
      reader_.restore(position);
      random_.restore(random);
      memories_ = memories;
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
    for (Memory& memory : memories_) memory = model_.empty_memory(own_.count);  // rows may not be finite
  }
}

// Repeats the failed step with every tensor checked, to name the first that is not finite.
void Trainer::stop_nonfinite(const std::function<void()>& rewind, const Step& failed) {
  FiniteCheck check = finite_check();
  rewind();
  try_step(&check);
  rewind();
  const std::vector<std::string> findings = ranks_.gather(check.finding());
  const auto found = std::ranges::find_if(findings, [](const std::string& f) { return !f.empty(); });
  std::string first = "none, but the sum of the gradient's squares overflows";
  if (found != findings.end()) {
    first = *found;
    if (ranks_.count() > 1) first += " (" + ranks_.name_of(static_cast<int>(found - findings.begin())) + ")";
  }
  ranks_.others_know();
  throw NonfiniteError(fmt::format(
      "step {}: the loss is {} bits and the gradient norm {}{}; the first tensor that is not finite: "
      "{} (lower train.optimizer.lr, {} train.clip, lengthen train.schedule.warmup, "
      "or set train.on_nonfinite: skip)",
      steps_done() + 1, failed.bits, failed.grad_norm,
      config_.train.on_nonfinite == OnNonfinite::skip ? ", time after time" : "", first,
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

void Trainer::check(const TrainState& now) const {
  std::vector<NamedTensor> tensors = now.weights;
  tensors.insert(tensors.end(), now.optimizer.begin(), now.optimizer.end());
  for (const Memory& memory : now.memories)
    for (size_t l = 0; l < memory.layers(); ++l)
      tensors.push_back({fmt::format("the memory of layer {}", l), memory[l].rows});
  for (const auto& [name, t] : tensors)
    if (const std::string what = not_finite(t); !what.empty())
      throw NonfiniteError(
          fmt::format("step {}: {} {}: {} after the update "
                      "(lower train.optimizer.lr, {} train.clip, or lengthen train.schedule.warmup)",
                      now.steps, name, t.shape().str(), what, config_.train.clip > 0 ? "lower" : "set"));
}

Bytes Trainer::validation_text() const {
  const Bytes all = corpus_.bytes(Split::valid);
  const auto limit = static_cast<size_t>(config_.train.eval_bytes);
  return limit && limit < all.size() ? all.part(0, limit) : all;
}

EvalResult Trainer::validate(const std::function<bool()>& stop) const {
  return validate(Order::validate, stop, {});
}

EvalResult Trainer::validate(Order order, const std::function<bool()>& stop,
                             const std::function<void(const EvalBlock&)>& on_block) const {
  return on_all_ranks(order, [&] {
    const auto text = validation_text();
    const int64_t room = static_cast<int64_t>(text.size()) - 1;
    const int streams = static_cast<int>(std::clamp<int64_t>(room, 1, config_.train.batch));
    return evaluate(model_, text, corpus_.name() + " (validation split)",
                    {.streams = streams, .on_block = on_block, .stop = stop, .ranks = ranks_});
  });
}

TrainState Trainer::state() const {
  return on_all_ranks(Order::state, [this] {
    TrainState state{.steps = steps_done(),
                     .skipped = skipped_,
                     .position = reader_.position(),
                     .random_stream = random_.state().stream,
                     .optimizer_steps = optimizer_.steps(),
                     .corpus = identity_,
                     .corpus_since = corpus_since_};
    for (const Memory& memory : memories_) state.memories.push_back(gather_memory(memory, ranks_));
    for (const Parameter& p : model_.parameters().all()) state.weights.push_back({p.name, p.value()});
    for (const Parameter& p : optimizer_.state()) state.optimizer.push_back({p.name, p.value()});
    if (steps_ > 0)  // initial values may differ between kinds of machines
      require_same(fmt::format("the weights after step {}", steps_), state.weights,
                   "a processor, a memory or a connection has failed: continue from the last checkpoint",
                   ranks_);
    return state;
  });
}

void Trainer::set_steps(int steps) {
  on_all_ranks(Order::set_steps, [&] {
    config_.train.steps = ranks_.broadcast(steps);
    schedule_ = schedule_of(config_.train);
  });
}

void Trainer::restore(const TrainState& state) {
  on_all_ranks(Order::restore, [&] { set_state(state); });
}

void Trainer::set_state(const TrainState& state) {
  // Numbers first: a position that the corpus does not have must change nothing.
  struct {
    StreamPosition position;
    uint64_t random_stream;
    int64_t optimizer_steps, steps, skipped, corpus_since;
  } numbers{state.position, state.random_stream, state.optimizer_steps,
            state.steps,    state.skipped,       state.corpus_since};
  numbers = ranks_.broadcast(numbers);
  ranks_.together([&] { reader_.restore(numbers.position); });
  random_.restore({random_.state().seed, numbers.random_stream});
  for (size_t t = 0; t < memories_.size(); ++t)
    memories_[t] = divide_memory(ranks_.leads() ? state.memories.at(t) : Memory{}, memories_[t], ranks_);
  const std::vector<Parameter> moments = optimizer_.state();
  if (ranks_.leads()) {
    const auto copy = [](const std::vector<NamedTensor>& from, const std::vector<Parameter>& to) {
      for (size_t i = 0; i < to.size(); ++i) to[i].value().copy_from(from.at(i).tensor);
    };
    copy(state.weights, model_.parameters().all());
    if (state.optimizer.empty())
      for (const Parameter& p : moments) init_constant(p.value(), 0);
    else
      copy(state.optimizer, moments);
  }
  if (ranks_.count() > 1)
    for (const auto& all : {model_.parameters().all(), moments})
      for (const Parameter& p : all) broadcast_values(p.value(), ranks_);
  optimizer_.set_steps(numbers.optimizer_steps);
  steps_ = numbers.steps;
  skipped_ = numbers.skipped;
  corpus_since_ = numbers.corpus_since;
}

}  // namespace fade
