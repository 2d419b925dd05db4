#include "train/run.h"

#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>

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
    make_directory(config, options);  // nothing is written before all has been found in order
    metrics_.emplace(options.out, trainer_.steps_done());
  }

  /// `changes`: settings that differ from those of the run so far.
  void train(const std::vector<std::string>& changes) {
    const InterruptGuard guard;
    announce();
    for (const std::string& change : changes) progress_.note(change);
    start_ = last_log_ = std::chrono::steady_clock::now();
    first_step_ = trainer_.steps_done();
    const TrainConfig& t = config_.train;
    while (trainer_.steps_done() < t.steps && !InterruptGuard::requested()) {
      const Trainer::Step s = trainer_.step();
      const int64_t step = trainer_.steps_done();
      log(s, step, step % t.log_every == 0 || step == t.steps);
      if (step == t.steps) break;
      if (t.checkpoint_every && step % t.checkpoint_every == 0) save();  // before what may take long
      if (t.eval_every && step % t.eval_every == 0) validate(step);
    }
    save();
    finish();
  }

 private:
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
    const double elapsed = seconds_since(start_);
    const double rate = static_cast<double>(step - last_log_step()) * bytes_a_step / seconds_since(last_log_);
    const double left =
        elapsed / static_cast<double>(step - first_step_) * static_cast<double>(t.steps - step);
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
                     {"seconds", elapsed}});
    last_log_ = std::chrono::steady_clock::now();
    logged_step_ = step;
  }
  int64_t last_log_step() const { return std::max(logged_step_, first_step_); }

  void validate(int64_t step) {
    if (!trainer_.can_validate()) return;
    const auto before = std::chrono::steady_clock::now();
    const EvalResult v = trainer_.validate();
    progress_.note(
        fmt::format("step {}: validation {:.4f} bits per byte ({} bytes, {} streams), {:.1f} rows in memory",
                    step, v.bits_per_byte, v.bytes, v.streams, v.mean_rows));
    write_validation(step, v);
    last_log_ += std::chrono::steady_clock::now() - before;  // the rate is of training
  }

  void write_validation(int64_t step, const EvalResult& v) {
    metrics_->write({{"step", step},
                     {"valid_bpb", v.bits_per_byte},
                     {"valid_bytes", v.bytes},
                     {"valid_streams", v.streams},
                     {"valid_mean_rows", v.mean_rows},
                     {"valid_mean_span", v.mean_span},
                     {"seconds", seconds_since(start_)}});
  }

  // A step is saved once: replacing the newest checkpoint by itself would leave an instant without one.
  void save() {
    if (saved_step_ == trainer_.steps_done()) return;
    trainer_.save(options_.out);
    saved_step_ = trainer_.steps_done();
  }

  void finish() {
    const int64_t step = trainer_.steps_done();
    if (step < config_.train.steps) {
      progress_.note(
          fmt::format("interrupted after step {}; checkpoint written; go on with: fade train {}/config.yaml "
                      "--out {} --resume",
                      step, options_.out.string(), options_.out.string()));
      return;
    }
    if (step == first_step_) return progress_.note("nothing left to do");
    progress_.note(
        fmt::format("trained {} steps in {}", step - first_step_, format_duration(seconds_since(start_))));
    if (trainer_.can_validate()) write_validation(step, print_report(trainer_, config_));
    fmt::print("checkpoint: {}\n", (options_.out / fmt::format("step-{}", step)).string());
  }

  Config config_;
  RunOptions options_;
  const Corpus& corpus_;
  Trainer trainer_;
  std::optional<Metrics> metrics_;
  Progress progress_;
  std::chrono::steady_clock::time_point start_, last_log_;
  int64_t first_step_ = 0, logged_step_ = 0, saved_step_ = -1;
};

}  // namespace

void run_training(const Config& config, const RunOptions& options) {
  const Corpus corpus(config.data);
  const std::vector<std::string> changes = check_directory(config, options);
  Run(config, options, corpus).train(changes);
}

}  // namespace fade
