#include "train/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "engine/alloc.h"
#include "engine/files.h"
#include "train/config_file.h"
#include "train/config_schema.h"
#include "train/interrupt.h"
#include "train/metrics.h"
#include "train/progress.h"
#include "train/report.h"
#include "train/trainer.h"

namespace fade {
namespace fs = std::filesystem;
namespace {

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Refuses another model. Returns a line for each other key that differs from the run that is resumed.
std::vector<std::string> changed_settings(const Config& before, const Config& now, const fs::path& run) {
  std::vector<std::string> changes;
  for (const Key& key : config_keys()) {
    const std::string was = value_text(key, before), is = value_text(key, now);
    if (was == is) continue;
    const bool of_the_model = key.path.starts_with("model.") && key.path != "model.attention";
    if (of_the_model)
      refuse("--resume: {} holds a run of another model: {} was {}, is {} (use --out for a new run)",
             run.string(), key.path, was, is);
    changes.push_back(fmt::format("resumed with another setting: {} was {}, is {}", key.path, was, is));
  }
  return changes;
}

// Checks that the run directory holds no run, or the one to be resumed; returns the settings changed since.
std::vector<std::string> check_directory(const Config& config, const RunOptions& options) {
  std::error_code ignored;
  const bool started = fs::exists(options.out / "latest", ignored);
  if (options.resume) {
    if (!started)
      refuse("--resume: {} holds no checkpoint (leave --resume out to start)", options.out.string());
    return changed_settings(load_config((options.out / "config.yaml").string()), config, options.out);
  }
  if (started)
    refuse("{}: already holds a run (--resume goes on with it, --out DIR starts another)",
           options.out.string());
  return {};
}

void make_directory(const Config& config, const RunOptions& options) {
  std::error_code error;
  fs::create_directories(options.out, error);
  if (error) refuse("--out {}: cannot be made: {}", options.out.string(), error.message());
  write_file_atomically(options.out / "config.yaml", to_yaml(config));
}

class Run {
 public:
  Run(const Config& config, const RunOptions& options, const Corpus& corpus)
      : config_(config), options_(options), corpus_(corpus), trainer_(config, corpus) {
    if (options.resume) {
      trainer_.restore(options.out);
      saved_step_ = trainer_.steps_done();
      if (saved_step_ > config.train.steps)
        refuse("--resume: {} has done {} steps, train.steps is {} (raise it to train on)",
               options.out.string(), saved_step_, config.train.steps);
    }
    for (const auto& line : read_metrics(options.out))
      if (line.value("step", saved_step_ + 1) <= saved_step_) {
        seconds_ = line.value("seconds", seconds_);
        validated_ = line.contains("valid_bpb") && line["step"] == saved_step_;
      }
    make_directory(config, options);  // nothing is written before all has been found in order
    metrics_.emplace(options.out, trainer_.steps_done());
  }

  /// `changes`: settings that differ from those of the run so far.
  bool train(const std::vector<std::string>& changes) {
    const InterruptGuard guard;
    announce();
    for (const std::string& change : changes) progress_.note(change);
    reset_peak(trainer_.model().device());
    first_step_ = trainer_.steps_done();
    const TrainConfig& t = config_.train;
    while (!over() && !InterruptGuard::requested()) {
      const auto before = std::chrono::steady_clock::now();
      const Trainer::Step s = trainer_.step();
      step_seconds_.push_back(seconds_since(before));
      seconds_ += step_seconds_.back();
      const int64_t step = trainer_.steps_done();
      log(s, step, step % t.log_every == 0 || over());
      if (over()) break;
      if (t.checkpoint_every && step % t.checkpoint_every == 0) save();  // before what may take long
      if (t.eval_every && step % t.eval_every == 0) validate(step);
    }
    save();
    finish();
    return over();
  }

 private:
  bool over() const {
    return trainer_.steps_done() >= config_.train.steps ||
           (options_.minutes > 0 && seconds_ >= 60 * options_.minutes);
  }

  void announce() {
    progress_.note(fmt::format("{}: {}, {} parameters, {} on {}; {} steps of {}x{} bytes into {}",
                               corpus_.name(), fade::name_of(config_.model.kind),
                               trainer_.model().parameters().count(), fade::name_of(trainer_.model().dtype()),
                               fade::name_of(trainer_.model().device()), config_.train.steps,
                               config_.train.batch, config_.model.block, options_.out.string()));
    if (!trainer_.can_validate())
      progress_.note("no validation: data.split leaves it less than the two bytes it takes");
    if (trainer_.steps_done()) progress_.note(fmt::format("resumed after step {}", trainer_.steps_done()));
  }

  void log(const Trainer::Step& s, int64_t step, bool log_step) {
    const TrainConfig& t = config_.train;
    const double bytes_a_step = static_cast<double>(t.batch) * config_.model.block * t.accumulate;
    const double a_step =
        std::reduce(step_seconds_.begin(), step_seconds_.end()) / static_cast<double>(step_seconds_.size());
    const double rate = bytes_a_step / a_step;
    const double of_steps = a_step * static_cast<double>(t.steps - step),
                 of_time = 60 * options_.minutes - seconds_;
    const double left = options_.minutes > 0 ? std::clamp(of_time, 0.0, of_steps) : of_steps;
    const ProgressLine line{step, t.steps, s.bits, s.mean_span, s.mean_rows, rate, left};
    if (!log_step) return progress_.update(line);
    progress_.log(line);
    metrics_->write({{"step", step},
                     {"train_bpb", s.bits},
                     {"aux", s.aux},
                     {"grad_norm", s.grad_norm},
                     {"lr", s.lr},
                     {"mean_span", s.mean_span},
                     {"mean_rows", s.mean_rows},
                     {"tokens_per_s", rate},
                     {"ms", 1000 * median(step_seconds_)},
                     {"peak_bytes", memory_stats(trainer_.model().device()).peak},
                     {"seconds", seconds_}});
    step_seconds_.clear();
  }

  void validate(int64_t step) {
    if (!trainer_.can_validate()) return;
    const EvalResult v = trainer_.validate();
    progress_.note(
        fmt::format("step {}: validation {:.4f} bits per byte ({} bytes, {} streams), {:.1f} rows in memory",
                    step, v.bits_per_byte, v.bytes, v.streams, v.mean_rows));
    write_validation(step, {v, {}});
  }

  void write_validation(int64_t step, const Report& report) {
    const EvalResult& v = report.validation;
    nlohmann::ordered_json line = {{"step", step},
                                   {"valid_bpb", v.bits_per_byte},
                                   {"valid_bytes", v.bytes},
                                   {"valid_streams", v.streams},
                                   {"valid_mean_rows", v.mean_rows},
                                   {"valid_mean_span", v.mean_span},
                                   {"seconds", seconds_}};
    for (const RecallScore& s : report.recall)
      line["recall"].push_back(
          {{"nearest", s.nearest}, {"farthest", s.farthest}, {"asked", s.asked}, {"right", s.right}});
    metrics_->write(line);
  }

  // A step is saved once: replacing the newest checkpoint by itself would leave an instant without one.
  void save() {
    if (saved_step_ == trainer_.steps_done()) return;
    trainer_.save(options_.out);
    saved_step_ = trainer_.steps_done();
  }

  void finish() {
    const int64_t step = trainer_.steps_done();
    if (!over()) {
      progress_.note(
          fmt::format("interrupted after step {}; checkpoint written; go on with: fade train {}/config.yaml "
                      "--out {} --resume",
                      step, options_.out.string(), options_.out.string()));
      return;
    }
    if (step == first_step_ && (validated_ || !trainer_.can_validate()))
      return progress_.note("nothing left to do");
    progress_.note(fmt::format("trained {} steps in {}", step, format_duration(seconds_)));
    if (trainer_.can_validate()) write_validation(step, report_on(trainer_, config_, options_.print_report));
    if (options_.print_report)
      fmt::print("checkpoint: {}\n", (options_.out / fmt::format("step-{}", step)).string());
  }

  Config config_;
  RunOptions options_;
  const Corpus& corpus_;
  Trainer trainer_;
  std::optional<Metrics> metrics_;
  Progress progress_;
  double seconds_ = 0;                ///< of all steps so far, before this process began, too
  std::vector<double> step_seconds_;  ///< since the last line of the log
  int64_t first_step_ = 0, saved_step_ = -1;
  bool validated_ = false;  ///< the checkpoint that was resumed has been validated already
};

}  // namespace

bool run_training(const Config& config, const RunOptions& options) {
  const Corpus corpus(config.data);
  const std::vector<std::string> changes = check_directory(config, options);
  return Run(config, options, corpus).train(changes);
}

}  // namespace fade
