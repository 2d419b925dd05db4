#include "train/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <thread>

#include "engine/alloc.h"
#include "train/checkpoint/run_directory.h"
#include "train/checkpoint/store.h"
#include "train/interrupt.h"
#include "train/metrics.h"
#include "train/progress.h"
#include "train/report.h"
#include "train/trainer.h"

namespace fade {
namespace {

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

class Run {
 public:
  Run(const Config& config, const RunOptions& options, const Corpus& corpus)
      : config_(config),
        options_(options),
        corpus_(corpus),
        trainer_(config, corpus),
        directory_(options.out, options.resume) {
    trainer_.check_finite(options.check_finite);
    if (options.resume) resume();
    for (const auto& line : read_metrics(directory_.path()))
      if (line["step"] <= saved_step_ && line.contains("seconds") && line["seconds"].is_number())
        seconds_ = line["seconds"];
    directory_.write_config(config);  // nothing is written before all has been found in order
    metrics_.emplace(directory_.path(), trainer_.steps_done());
  }

  bool train() {
    const InterruptGuard guard;
    announce();
    reset_peak(trainer_.model().device());
    first_step_ = trainer_.steps_done();
    const TrainConfig& t = config_.train;
    if (first_step_) validate_again(first_step_);
    while (!over() && !InterruptGuard::requested()) {
      const auto before = Clock::now();
      const Trainer::Step s = step_once();
      step_seconds_.push_back(seconds_since(before));
      seconds_ += step_seconds_.back();
      const int64_t step = trainer_.steps_done();
      log(s, step, step % t.log_every == 0 || over());
      if (over()) break;
      const bool retry = retry_at_ && Clock::now() >= *retry_at_;
      if (is_due(t.checkpoint_every, step) || retry) save();  // before what may take long
      if (is_due(t.eval_every, step)) validate(step);
    }
    save_at_last();
    finish();
    return over() && !InterruptGuard::requested();  // the closing report may have been broken off
  }

 private:
  using Clock = std::chrono::steady_clock;

  bool over() const {
    return trainer_.steps_done() >= config_.train.steps ||
           (options_.minutes > 0 && seconds_ >= 60 * options_.minutes);
  }

  // A step; an error of its numbers also says what there is to go back to.
  Trainer::Step step_once() {
    try {
      const Trainer::Step s = trainer_.step();
      if (s.skipped)
        progress_.note(fmt::format("step {}: {} attempts before it were skipped: not finite ({} in all)",
                                   trainer_.steps_done(), s.skipped, trainer_.skipped()));
      return s;
    } catch (const NonfiniteError& e) {
      no_good(e);
    }
  }

  [[noreturn]] void no_good(const NonfiniteError& e) const {
    fail("{}; {}", e.what(),
         saved_step_ < 0 ? "there is no checkpoint yet"
                         : fmt::format("the last good checkpoint is {}",
                                       (directory_.path() / fmt::format("step-{}", saved_step_)).string()));
  }

  static bool is_due(int every, int64_t step) { return every && step % every == 0; }

  void resume() {
    const std::optional<Checkpoint> checkpoint = directory_.newest_checkpoint(notes_);
    if (!checkpoint) {
      notes_.push_back("the run was stopped before its first checkpoint: it starts from the beginning");
      return;
    }
    const Config before = config_of(checkpoint->weights, checkpoint->folder);
    for (const std::string& change : changed_settings(before, config_, directory_.path()))
      notes_.push_back("resumed with another setting: " + change);
    trainer_.restore(*checkpoint);
    saved_step_ = trainer_.steps_done();
    if (saved_step_ > config_.train.steps)
      refuse("--resume: {} has done {} steps, train.steps is {} (raise it to train on)",
             directory_.path().string(), saved_step_, config_.train.steps);
  }

  void announce() {
    progress_.note(fmt::format("{}: {}, {} parameters, {} on {}; {} steps of {}x{} bytes into {}",
                               corpus_.name(), fade::name_of(config_.model.kind),
                               trainer_.model().parameters().count(), fade::name_of(trainer_.model().dtype()),
                               fade::name_of(trainer_.model().device()), config_.train.steps,
                               config_.train.batch, config_.model.block, directory_.path().string()));
    if (!trainer_.can_validate())
      progress_.note("no validation: data.split leaves it less than the two bytes it takes");
    if (config_.train.schedule.warmup >= config_.train.steps)
      progress_.note(
          fmt::format("all {} steps are warm-up: the learning rate gets to its full height after "
                      "train.schedule.warmup, {}",
                      config_.train.steps, config_.train.schedule.warmup));
    if (trainer_.steps_done()) progress_.note(fmt::format("resumed after step {}", trainer_.steps_done()));
    for (const std::string& note : notes_) progress_.note(note);
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
    write_metrics({{"step", step},
                   {"train_bpb", s.bits},
                   {"aux", s.aux},
                   {"grad_norm", s.grad_norm},
                   {"lr", s.lr},
                   {"mean_span", s.mean_span},
                   {"mean_rows", s.mean_rows},
                   {"skipped", trainer_.skipped()},
                   {"tokens_per_s", rate},
                   {"ms", 1000 * median(step_seconds_)},
                   {"peak_bytes", memory_stats(trainer_.model().device()).peak},
                   {"seconds", seconds_}});
    step_seconds_.clear();
  }

  void write_metrics(const nlohmann::ordered_json& line) {
    const auto trouble = metrics_->write(line);
    if (trouble && !metrics_wait_)
      progress_.note(fmt::format("warning: {}; training goes on, and the lines wait in memory", *trouble));
    if (!trouble && metrics_wait_)
      progress_.note("metrics.jsonl is written again, with the lines that waited");
    metrics_wait_ = trouble.has_value();
  }

  // Validates and takes note of the result, unless the user interrupts.
  void validate(int64_t step) {
    if (!trainer_.can_validate()) return;
    try {
      const EvalResult v = trainer_.validate([](const EvalBlock&) { InterruptGuard::check(); });
      progress_.note(fmt::format(
          "step {}: validation {:.4f} bits per byte ({} bytes, {} streams), {:.1f} rows in memory", step,
          v.bits_per_byte, v.bytes, v.streams, v.mean_rows));
      write_validation(step, {v, {}});
      note_validation(step, v.bits_per_byte);
    } catch (const Interrupted&) {
      return;
    }
  }

  // A run that resumes after `step` may have been stopped before that step's validation was done.
  void validate_again(int64_t step) {
    if (const auto done = metrics_->validation())
      note_validation(step, *done);
    else if (is_due(config_.train.eval_every, step) && !over())
      validate(step);
  }

  // The best so far stays on the disk, unless checkpoints are written at the end only.
  void note_validation(int64_t step, double bits_per_byte) {
    if (!trainer_.note_validation(bits_per_byte) || !config_.train.checkpoint_every || !save()) return;
    attempt("best", [&] { mark_best(directory_.path(), step); });
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
    write_metrics(line);
  }

  // Does what training can go on without. False, and a warning, when it fails.
  template <class Work>
  bool attempt(const char* what, const Work& work) {
    try {
      work();
      return true;
    } catch (const Error& e) {
      progress_.note(
          fmt::format("warning: step {}: {}: {}; training goes on", trainer_.steps_done(), what, e.what()));
      return false;
    }
  }

  // True when the step has its checkpoint on the disk. It is written once: to replace the newest checkpoint
  // by itself would leave an instant without one.
  bool save() {
    constexpr auto kRetry = std::chrono::seconds(60);
    const int64_t step = trainer_.steps_done();
    if (saved_step_ == step) return true;
    try {
      trainer_.check_weights();  // what is saved is good
    } catch (const NonfiniteError& e) {
      no_good(e);
    }
    const bool saved =
        attempt("no checkpoint was written, the next attempt is a minute or a checkpoint away", [&] {
          if (directory_.remake_if_gone(config_))
            progress_.note(
                fmt::format("warning: {} had vanished and was made again", directory_.path().string()));
          metrics_->flush();
          trainer_.save(directory_.path());
        });
    retry_at_ = saved ? std::nullopt : std::optional(Clock::now() + kRetry);
    if (!saved) return false;
    saved_step_ = step;
    attempt("an old checkpoint stays", [&] {
      remove_old_checkpoints(directory_.path(), step,
                             {config_.train.keep_checkpoints, config_.train.keep_every});
    });
    return true;
  }

  // At the end there is no training to go on with: somebody may make room while the run waits.
  void save_at_last() {
    constexpr int kAttempts = 60;
    constexpr std::chrono::milliseconds kWait(10'000), kGlance(100);
    for (int i = 1; !save(); ++i) {
      if (InterruptGuard::requested() || i == kAttempts)
        fail("step {} has no checkpoint ({})", trainer_.steps_done(),
             saved_step_ < 0 ? "nor has any before it" : fmt::format("the newest is step-{}", saved_step_));
      progress_.note("the last checkpoint is tried again in 10 seconds; Ctrl-C gives up");
      for (auto slept = kGlance; slept < kWait && !InterruptGuard::requested(); slept += kGlance)
        std::this_thread::sleep_for(kGlance);
    }
  }

  void finish() {
    const int64_t step = trainer_.steps_done();
    if (!over()) {
      progress_.note(
          fmt::format("interrupted after step {}; checkpoint written; go on with: fade train {}/config.yaml "
                      "--out {} --resume",
                      step, directory_.path().string(), directory_.path().string()));
      return;
    }
    if (step == first_step_ && (metrics_->validation() || !trainer_.can_validate()))
      return progress_.note("nothing left to do");
    progress_.note(fmt::format("trained {} steps in {}", step, format_duration(seconds_)));
    report(step);
    if (options_.print_report)
      fmt::print("checkpoint: {}\n", (directory_.path() / fmt::format("step-{}", step)).string());
  }

  void report(int64_t step) {
    if (!trainer_.can_validate()) return;
    try {
      const Report found = report_on(trainer_, config_, options_.print_report,
                                     [](const EvalBlock&) { InterruptGuard::check(); });
      write_validation(step, found);
      note_validation(step, found.validation.bits_per_byte);
    } catch (const Interrupted&) {
      return progress_.note("the closing report was interrupted; fade eval evaluates the checkpoint");
    }
    if (const BestResult& best = *trainer_.best(); options_.print_report && best.step != step)
      fmt::print("best validation: {:.4f} bits per byte after step {}\n", best.bits_per_byte, best.step);
  }

  Config config_;
  RunOptions options_;
  const Corpus& corpus_;
  Trainer trainer_;
  RunDirectory directory_;
  std::vector<std::string> notes_;  ///< what there is to say about a resumed run
  std::optional<Metrics> metrics_;
  bool metrics_wait_ = false;
  Progress progress_;
  double seconds_ = 0;                         ///< of all steps so far, before this process began, too
  std::vector<double> step_seconds_;           ///< since the last line of the log
  std::optional<Clock::time_point> retry_at_;  ///< of the checkpoint that could not be written
  int64_t first_step_ = 0, saved_step_ = -1;
};

}  // namespace

bool run_training(const Config& config, const RunOptions& options) {
  const Corpus corpus(config.data);
  return Run(config, options, corpus).train();
}

}  // namespace fade
