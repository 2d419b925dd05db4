#include "train/config/text_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "train/config/check.h"
#include "train/config/file.h"
#include "train/config/text_preset.h"
#include "train/figure.h"

namespace fade {
namespace {

/// A size of the model, and the learning rate that goes with it.
struct Rung {
  int layers, hidden;
  double lr;
};
constexpr auto kLadder = std::to_array<Rung>({{2, 64, 4e-3},
                                              {3, 96, 3.5e-3},
                                              {3, 128, 3e-3},
                                              {4, 192, 2e-3},
                                              {4, 256, 1.5e-3},
                                              {6, 384, 1e-3},
                                              {8, 512, 7e-4}});
// A larger model that reads fewer bytes per weight in the time learns less than a smaller one. 2 layers of 64 features and 3
// of 96, bits per byte: of long prose in a minute of one core 2.001 and 2.033, 3.5 bytes per weight of the larger one; of
// enwik6 in a minute of two cores 2.190 and 2.134, with 5.3 (docs/recipe.md).
constexpr double kReadsPerWeight = 4.5;
// Nor is a text too short for it, read as often as is of use: 27,000 bytes, 30 times over, are 2.1 bytes for each weight of 3
// layers of 96 features.
constexpr double kLeastReadsPerWeight = 2;
// More readings gain nothing: 27,000 bytes are predicted no better after 60 than after 30.
constexpr double kMostEpochs = 30;
constexpr double kFewestSteps = 100;  // of a text that is shorter than a few blocks
constexpr double kMostSteps = 1e9;    // that train.steps takes

/// What keeps a model of kWeightsByHeart or more weights per byte from learning a text by heart that it reads so many times
/// (docs/recipe.md). `decay` is the share of the weights that weight decay takes off per reading of the text, while the
/// learning rate is at its height.
struct Regularisation {
  double epochs, dropout, input_noise, decay;
};
constexpr auto kRegularisation = std::to_array<Regularisation>(
    {{2, 0, 0, 0}, {6, 0.1, 0.02, 0}, {9, 0.15, 0.03, 0}, {12, 0.2, 0.05, 0.05}, {20, 0.3, 0.1, 0.16}});
constexpr double kWeightsByHeart = 5;
constexpr double kMostDecay = 1;  // of train.optimizer.weight_decay: 2 is too much for 27,000 bytes

constexpr double kBlock = 64, kBatch = 8, kLargestBatch = 64;
constexpr double kBlocksPerStream = 8;  // at least, where the text is long enough
constexpr double kGainOfBatch = 1.5;    // of speed, from twice the batch; half the steps cost less than that
constexpr double kStepsOfBatch = 4000;  // that must remain

// Streams that read on see the same few places step after step. Prose of 40 MB, of which 5 are read in six minutes: 1.85 bits per
// byte, with these chunks 1.76, with turns, too, 1.57; 900,000 bytes read 2.6 times over: 2.13, with both 2.07. Of texts
// read five times two disagree, and what is read ten times is learned by heart the sooner: 1.97, with turns 2.00 (docs/recipe.md).
constexpr double kMostEpochsInTurns = 4;
constexpr double kStreamsInTurns = 128;  // in all: each has a memory, also in checkpoints
// Twice the batch then teaches as much in the same CPU time, and more of a binary (4.58 instead of 4.71 bits per byte); two threads
// read 13 % more bytes per second. With 3000 steps left, enwik6 gained nothing from it (docs/recipe.md): kStepsOfBatch must remain.
constexpr double kBatchInTurns = 16;
// A chunk begins with an empty memory: it is long beside the spans that it shall teach, and has many blocks.
constexpr int kSpansPerChunk = 4, kBlocksPerChunk = 32;

constexpr double kWarmup = 0.05;  // of the steps
constexpr double kMostWarmup = 200;
constexpr double kDecay = 0.8;  // of the steps after it: until then the run goes by the clock
constexpr double kValidations = 12;
constexpr double kPatience = 0.4;  // of the validations
constexpr double kLeastPatience = 3;
constexpr double kMinutesBetween = 10;         // two validations, at most
constexpr double kTimeOfValidations = 0.05;    // of the time of training
constexpr double kCostOfValidation = 1 / 3.0;  // of a byte, of the cost in training: no backward
constexpr double kFewestValidated = 10'000;    // bytes, for a figure that means something
constexpr double kLogLines = 80;

/// "key=value", of an integer that the value is rounded down to.
std::string whole(std::string_view key, double value) {
  return fmt::format("{}={}", key, static_cast<int64_t>(std::clamp(value, 0.0, 1e9)));
}

/// The settings chosen so far, and what follows from them.
class Choice {
 public:
  explicit Choice(const TextBudget& budget)
      : budget_(&budget), minutes_(budget.minutes > 0 ? budget.minutes : kDefaultMinutes) {
    add({});
  }

  void add(const std::vector<std::string>& settings) {
    settings_.insert(settings_.end(), settings.begin(), settings.end());
    std::vector<std::string> all = settings_;
    all.insert(all.end(), budget_->given.begin(), budget_->given.end());
    config_ = parse_config(kLaptopPreset, "the laptop preset", all);
  }
  Choice with(const std::vector<std::string>& settings) const {
    Choice larger = *this;
    larger.add(settings);
    return larger;
  }
  const std::vector<std::string>& settings() const { return settings_; }
  const Config& config() const { return config_; }

  bool gives(std::string_view key) const { return find_override(budget_->given, key); }
  double text() const { return part(0); }        ///< bytes of the training split
  double validation() const { return part(1); }  ///< bytes of the validation split
  /// `streams`, or fewer, of which each rank has as many, and at least one.
  double even(double streams) const {
    return std::max(std::floor(streams / budget_->ranks), 1.0) * budget_->ranks;
  }
  double bytes_per_step() const {
    return 1.0 * config_.train.batch * config_.model.block * config_.train.accumulate;
  }
  /// Streams that the text has enough blocks for, of each set that takes turns.
  double most_streams() const {
    return text() / (kBlocksPerStream * (config_.model.block + 1) * config_.train.turns);
  }
  /// Bytes per second, measured: not for given sizes that the text is too short for, which the trainer refuses, nor with
  /// given steps, which no time limits.
  double speed() const {
    if (has_steps()) return INFINITY;
    const bool fits = text() >= 1.0 * config_.train.turns * config_.train.batch * (config_.model.block + 1);
    return fits ? budget_->speed(config_) : 1;
  }
  bool has_steps() const { return gives("train.steps"); }
  /// True when a larger batch would read more, and not fewer steps.
  bool steps_are_given() const { return has_steps() || gives("train.max_steps"); }
  double minutes() const { return minutes_; }
  /// The most bytes that training reads, whatever the time.
  double enough() const {
    if (has_steps()) return config_.train.steps * bytes_per_step();
    if (const int most = config_.train.max_steps; gives("train.max_steps"))
      return most ? most * bytes_per_step() : INFINITY;
    return std::max(kMostEpochs * text(), kFewestSteps * bytes_per_step());
  }
  /// Bytes that training reads at so many per second.
  double reads_at(double speed) const { return std::min(enough(), 60 * minutes_ * speed); }

 private:
  // Bytes of a split. The share of an unknown length is one, too, unless it is 0 %.
  double part(int split) const {
    const int percent = config_.data.split[split];
    if (percent == 0) return 0;
    return budget_->bytes ? static_cast<double>(*budget_->bytes) * percent / 100 : INFINITY;
  }

  const TextBudget* budget_;
  double minutes_;
  std::vector<std::string> settings_;
  Config config_;
};

Choice choose_block(Choice choice) {
  choice.add({whole("model.block", std::clamp(choice.text() - 1, 1.0, kBlock))});
  return choice.with({whole("train.batch", choice.even(std::min(choice.most_streams(), kBatch)))});
}

// A device that a small batch does not keep busy reads more bytes per second with a larger one.
Choice choose_batch(Choice choice) {
  if (choice.steps_are_given() || choice.gives("train.batch")) return choice;
  for (double speed = choice.speed();;) {
    Choice larger = choice.with({whole("train.batch", 2 * choice.config().train.batch)});
    if (larger.config().train.batch > std::min(kLargestBatch, choice.most_streams()) ||
        choice.reads_at(speed) < kStepsOfBatch * larger.bytes_per_step())
      return choice;
    const double faster = larger.speed();
    if (faster < kGainOfBatch * speed) return choice;
    choice = std::move(larger);
    speed = faster;
  }
}

// Of the rung nearest in size, should sizes be given.
double learning_rate_for(const ModelConfig& model) {
  const auto size = [](double layers, double hidden) { return std::log(layers * hidden * hidden); };
  const auto distance = [&](const Rung& rung) {
    return std::abs(size(rung.layers, rung.hidden) - size(model.layers, model.hidden));
  };
  return std::ranges::min(kLadder, {}, distance).lr;
}

// A text that is not read often: its streams take turns, and go from chunk to chunk.
void read_in_turns(Choice& choice, double reads) {
  const double batch = choice.even(std::min(choice.most_streams(), kBatchInTurns));
  const Choice larger = choice.with({whole("train.batch", batch)});
  if (!choice.steps_are_given() && batch > choice.config().train.batch &&
      reads >= kStepsOfBatch * larger.bytes_per_step())
    choice = larger;
  const Config& c = choice.config();
  const double sets = std::min(choice.most_streams(), kStreamsInTurns) / c.train.batch;
  const int chunk = std::max(kSpansPerChunk * c.model.max_span, kBlocksPerChunk * c.model.block);
  choice.add({whole("train.turns", std::max(sets, 1.0)), whole("train.chunk_bytes", chunk)});
}

struct Model {
  Choice choice;
  double reads;  // bytes
};

// The largest model that reads enough bytes for its weights.
Model choose_model(const Choice& before) {
  std::optional<Model> best;
  for (const Rung& rung : kLadder) {
    Choice choice = before.with({whole("model.layers", rung.layers), whole("model.hidden", rung.hidden)});
    choice.add({whole("model.ff", 4.0 * choice.config().model.hidden)});
    const double weights = weight_count(choice.config().model);
    if (best && weights <= weight_count(best->choice.config().model)) continue;  // its sizes are given
    if (best && choice.enough() < kLeastReadsPerWeight * weights) break;         // before the time is taken
    const double speed = choice.speed();
    if (best && 60 * choice.minutes() * speed < kReadsPerWeight * weights) break;
    const double reads = choice.reads_at(speed);
    best = Model{std::move(choice), reads};
  }
  best->choice.add({fmt::format("train.optimizer.lr={}", learning_rate_for(best->choice.config().model))});
  return *best;
}

// Between the rows of the table, on the line from one to the next.
Regularisation regularisation_for(double epochs) {
  const auto above = std::ranges::upper_bound(kRegularisation, epochs, {}, &Regularisation::epochs);
  if (above == kRegularisation.begin()) return kRegularisation.front();
  if (above == kRegularisation.end()) return kRegularisation.back();
  const auto below = std::prev(above);
  const double t = (epochs - below->epochs) / (above->epochs - below->epochs);
  return {epochs, std::lerp(below->dropout, above->dropout, t),
          std::lerp(below->input_noise, above->input_noise, t), std::lerp(below->decay, above->decay, t)};
}

// How often the text is read, less for a model that is small beside it. 4 layers of 192, 2 weights per byte of the 900,000 that they
// read 24 times: 1.975 bits per byte with what the table has for as many, 1.912 with half of it (docs/recipe.md).
double readings_by_heart(const Choice& choice, double reads) {
  const double weights_per_byte = weight_count(choice.config().model) / choice.text();
  return reads / choice.text() * std::sqrt(std::min(weights_per_byte / kWeightsByHeart, 1.0));
}

// At the learning rate of the ladder: with a lower one, as for training on, it takes less off.
double weight_decay_for(const Choice& choice, double decay) {
  const OptimizerKind kind = choice.config().train.optimizer.kind;
  if (kind != OptimizerKind::muon && kind != OptimizerKind::adamw) return 0;  // others add it to the gradient
  const double steps_per_reading = choice.text() / choice.bytes_per_step();
  return std::min(decay / (learning_rate_for(choice.config().model) * steps_per_reading), kMostDecay);
}

// Warm-up, validations, checkpoints and lines of the log, for a run of so many steps.
std::vector<std::string> intervals(const Choice& choice, double steps) {
  const double reads = steps * choice.bytes_per_step();
  const double valid = choice.validation();
  const double affordable = kTimeOfValidations / kCostOfValidation * reads;
  const double bytes = std::min(valid, std::max(affordable / kValidations, kFewestValidated));
  const double wanted = std::max(kValidations, choice.minutes() / kMinutesBetween);
  const double validations = std::clamp(affordable / std::max(bytes, 1.0), 2.0, wanted);
  const double every = std::max(steps / validations, 1.0);
  return {whole("train.schedule.warmup", std::min(kWarmup * steps, kMostWarmup)),
          fmt::format("train.schedule.decay={}", kDecay),
          whole("train.eval_every", every),
          whole("train.eval_bytes", bytes < valid ? bytes : 0),
          whole("train.patience", std::max(kPatience * validations, kLeastPatience)),
          whole("train.checkpoint_every", every),
          whole("train.log_every", std::clamp(steps / kLogLines, 1.0, 50.0))};
}

// How often the text is read, in words.
std::string reading(double epochs) {
  if (epochs == 0) return "";
  if (epochs < 1) return fmt::format("; {:.0f} % of the text is read", 100 * epochs);
  return fmt::format("; the text is read {:.{}f} times over", epochs, epochs < 10 ? 1 : 0);
}

// The end of training, in words.
std::string length_of(const Choice& choice, const TextPlan& plan, double speed) {
  const std::string read = reading(plan.epochs);
  if (choice.has_steps()) return fmt::format("{} steps{}", plan.steps, read);
  if (plan.steps != choice.config().train.max_steps)
    return fmt::format("about {} steps in {} minutes (--minutes){}", plan.steps, plan.minutes, read);
  if (choice.gives("train.max_steps")) return fmt::format("{} steps (train.max_steps){}", plan.steps, read);
  return fmt::format("{} steps{}, which is enough: about {} of {} minutes; a longer text would teach more",
                     plan.steps, read, figure(plan.steps * choice.bytes_per_step() / speed / 60, 1),
                     plan.minutes);
}

}  // namespace

TextPlan plan_for_text(const TextBudget& budget) {
  Model model = choose_model(choose_batch(choose_block(Choice(budget))));
  Choice& choice = model.choice;
  double& reads = model.reads;
  const Regularisation against = regularisation_for(readings_by_heart(choice, reads));
  choice.add({fmt::format("model.dropout={:.2g}", against.dropout),
              fmt::format("train.input_noise={:.2g}", against.input_noise)});
  if (budget.bytes && reads <= kMostEpochsInTurns * choice.text()) read_in_turns(choice, reads);
  const double speed = choice.speed();  // dropout takes time, and a larger batch less of it
  reads = choice.reads_at(speed);
  TextPlan plan;
  const auto steps_for = [&](double bytes) {
    return static_cast<int>(std::clamp(bytes / choice.bytes_per_step(), 1.0, kMostSteps));
  };
  plan.steps = steps_for(reads);
  plan.epochs = reads / choice.text();
  if (!choice.has_steps()) {
    plan.minutes = choice.minutes();
    if (std::isfinite(choice.enough()))
      choice.add({fmt::format("train.max_steps={}", steps_for(choice.enough()))});
  }
  choice.add({fmt::format("train.optimizer.weight_decay={:.2g}", weight_decay_for(choice, against.decay))});
  // A short run would end above the entropy of single bytes, at which this begins.
  choice.add({fmt::format("train.steps={}", plan.steps), "train.unigram_init=true"});
  choice.add(intervals(choice, static_cast<double>(plan.steps)));
  plan.settings = choice.settings();
  const Config& c = choice.config();
  plan.notes = {
      fmt::format("chosen by its length, the time and this machine's speed: layers {}, width {}, dropout {}, "
                  "input noise {}, weight decay {}, learning rate {}, streams {}, turns {}, block {} "
                  "(--set changes them)",
                  c.model.layers, c.model.hidden, c.model.dropout, c.train.input_noise,
                  c.train.optimizer.weight_decay, c.train.optimizer.lr, c.train.batch, c.train.turns,
                  c.model.block),
      length_of(choice, plan, speed)};
  return plan;
}

}  // namespace fade
