#include "train/run.h"

#include <fmt/format.h>

#include "engine/alloc.h"
#include "engine/parallel.h"
#include "train/checkpoint/run_directory.h"
#include "train/checkpoint/weights.h"
#include "train/checkpoint_policy.h"
#include "train/config/resolve.h"
#include "train/data/corpus.h"
#include "train/figure.h"
#include "train/follow.h"
#include "train/interrupt.h"
#include "train/job.h"
#include "train/progress.h"
#include "train/resume.h"
#include "train/run_log.h"
#include "train/time_limit.h"
#include "train/trainer.h"

namespace fade {
namespace {

void note_warmup(const ScheduleConfig& schedule, int64_t steps, RunLog& log) {
  if (schedule.warmup >= steps)
    log.note(
        "all {} steps are warm-up: the learning rate reaches its full height after train.schedule.warmup, {}",
        steps, schedule.warmup);
}

/// The loop of a run: step, log, save, validate.
class Run {
 public:
  Run(const RunOptions& options, Trainer& trainer, RunDirectory& directory, RunLog& log, const Resumed& from)
      : options_(options),
        trainer_(trainer),
        config_(trainer.config().train),
        directory_(directory),
        log_(log),
        checkpoints_(trainer, directory, log, from.step, from.best),
        first_step_(trainer.steps_done()),
        validated_before_(from.other_validation ? std::nullopt : log.validation_before()),
        awaited_(from.best) {
    if (options.minutes > 0) limit_.emplace(options.minutes, first_step_, seconds(), config_.max_steps);
  }

  // True at the end of the run, false after an interrupt.
  bool train() {
    bool done = false;
    try {
      loop();
      done = over();  // before the closing report, whose validation may be the best
      if (done)
        finish();
      else
        log_.note("interrupted after step {}; checkpoint written{}", trainer_.steps_done(), hint());
    } catch (const NonfiniteError& e) {
      throw NonfiniteError(fmt::format("{}; {}", e.what(), checkpoints_.last_good()));
    } catch (const InputError& e) {  // the corpus cannot be read: what it gave so far is intact
      refuse("{}; {}", e.what(), save_after_failure());
    }
    return done && !InterruptGuard::requested();  // the closing report may have been interrupted
  }

 private:
  std::string hint() const {
    if (options_.hint.empty()) return "";
    return "; " + options_.hint + (config_.steps ? "" : fmt::format(" --minutes {}", options_.minutes));
  }

  // Returns what there is to resume from.
  std::string save_after_failure() {
    try {
      checkpoints_.save_final();
      return fmt::format("step {} has a checkpoint{}", trainer_.steps_done(), hint());
    } catch (const Error& e) {
      return e.what();
    }
  }

  void loop() {
    reset_peak(trainer_.model().device());
    if (first_step_) validate_again();
    while (!over() && !InterruptGuard::requested()) {
      const TrainingTime start = TrainingTime::now();
      const Trainer::Step figures = trainer_.step();
      log_.add(TrainingTime::now() - start);
      if (!config_.steps) choose_steps();
      log_.step(trainer_, figures, over(), limit_ ? limit_->seconds() - seconds() : 0);
      if (over()) break;
      if (checkpoints_.is_due()) checkpoints_.save();  // before the validation, which may take long
      if (validation_is_due()) validate();
    }
    checkpoints_.save_final();
  }

  bool over() const {
    return (config_.steps && trainer_.steps_done() >= config_.steps) || patience_is_over() ||
           (limit_ && seconds() >= TimeLimit::kMost * limit_->seconds());
  }

  // True in the step after the last of these validations; a resumed run ends with the same step.
  bool patience_is_over() const {
    const int64_t steps = int64_t{config_.patience} * config_.eval_every;
    return steps && awaited_ && trainer_.steps_done() > awaited_->step + steps;
  }

  // Training time by the clock of the run's minutes.
  double seconds() const { return by_cpu_time() ? log_.time().cpu : log_.time().wall; }
  bool by_cpu_time() const { return options_.cpu_time && trainer_.model().device() == Device::cpu; }

  // When it is time to, as the speed of the steps done has it.
  void choose_steps() {
    const int64_t step = trainer_.steps_done();
    limit_->add(step, seconds());
    if (!speed_noted_ && limit_->knows_speed()) {
      speed_noted_ = true;
      const bool capped = limit_->fitting() == config_.max_steps;
      log_.note("at this speed, {} steps{} fit into {}", limit_->fitting(),
                capped ? " (train.max_steps)" : "", minutes());
      note_warmup(config_.schedule, limit_->fitting(), log_);
    }
    const std::optional<int64_t> steps = limit_->choice(trainer_.schedule(), patience_is_over());
    if (!steps) return;
    trainer_.set_steps(static_cast<int>(*steps));
    log_.chosen(step, *steps, options_.minutes);
    log_.note("step {}: the run has {} steps, {} into {}; its {} repeats it without the clock", step, *steps,
              *steps > limit_->fitting() ? fmt::format("of which {} fit", limit_->fitting()) : "which fit",
              minutes(), kConfigFile);
    try {
      directory_.write_config(trainer_.config());
    } catch (const Error& e) {
      log_.note("warning: {}; train.steps is not in it", e.what());
    }
  }
  std::string minutes() const {
    return format_duration(60 * options_.minutes) + (by_cpu_time() ? " of CPU time" : "");
  }

  bool validation_is_due() const {
    return config_.eval_every && trainer_.steps_done() % config_.eval_every == 0;
  }

  // A run may have been stopped after a step's checkpoint and before its validation.
  void validate_again() {
    if (validated_before_)
      note_validation(*validated_before_);
    else if (validation_is_due() && !over())
      validate();
  }

  // Unless the user interrupts.
  void validate() {
    if (!trainer_.can_validate()) return;
    try {
      const EvalResult v = trainer_.validate(InterruptGuard::requested);
      log_.note("step {}: validation {} bits per byte ({} bytes, {} streams), {} rows in memory",
                trainer_.steps_done(), figure(v.bits_per_byte, 4), v.bytes, v.streams,
                figure(v.mean_rows, 1));
      record({.validation = v});
    } catch (const Interrupted&) {
    }
  }

  void record(const Report& report) {
    log_.validation(trainer_.steps_done(), report);
    note_validation(report.validation.bits_per_byte);
  }

  // Patience waits for those alone that every run of the configuration does, wherever it was stopped.
  void note_validation(double bits_per_byte) {
    if (validation_is_due() && !patience_is_over() && !(awaited_ && awaited_->bits_per_byte <= bits_per_byte))
      awaited_ = {bits_per_byte, trainer_.steps_done()};
    checkpoints_.note_validation(bits_per_byte);
  }

  void finish() {
    const int64_t step = trainer_.steps_done();
    if (step == first_step_ && (validated_before_ || !trainer_.can_validate()))
      return log_.note("nothing left to do");
    if (patience_is_over())
      log_.note("stopped at step {} of {}: no validation since step {} was better (train.patience: {})", step,
                config_.steps, awaited_->step, config_.patience);
    else if (step < config_.steps)
      log_.note("stopped at step {} of {}: the steps have become slower, and {} times {} are over{}", step,
                config_.steps, TimeLimit::kMost, minutes(), hint());
    log_.note("trained {} steps in {}", step, format_duration(log_.time().wall));
    FinishedRun run{.checkpoint = directory_.path() / fmt::format("step-{}", step),
                    .step = step,
                    .report = closing_report(),
                    .text = trainer_.validation_text(),
                    .best = checkpoints_.best()};
    if (options_.on_end) options_.on_end(run);
  }

  std::optional<Report> closing_report() {
    if (!trainer_.can_validate()) return std::nullopt;
    try {
      const Report report = report_on(trainer_, InterruptGuard::requested);
      record(report);
      return report;
    } catch (const Interrupted&) {
      log_.note("the closing report was interrupted; fade eval evaluates the checkpoint");
      return std::nullopt;
    }
  }

  const RunOptions& options_;
  Trainer& trainer_;
  const TrainConfig& config_;
  RunDirectory& directory_;
  RunLog& log_;
  CheckpointPolicy checkpoints_;
  int64_t first_step_;
  std::optional<TimeLimit> limit_;
  bool speed_noted_ = false;
  std::optional<double> validated_before_;  ///< the validation of that step, when it was done already
  std::optional<BestResult> awaited_;       ///< the best of the validations that patience waits for
};

void announce(const Trainer& trainer, const RunOptions& options, RunLog& log) {
  const Config& config = trainer.config();
  const int steps = config.train.steps;
  const Transformer& model = trainer.model();
  log.note("{}: {}, {} parameters, {} on {}; {} steps of {}x{} bytes into {}", trainer.corpus().name(),
           fade::name_of(config.model.kind), model.parameters().count(),
           precision_name(config, model.device()), fade::name_of(model.device()),
           steps ? fmt::to_string(steps) : format_duration(60 * options.minutes) + " of", config.train.batch,
           config.model.block, options.out.string());
  if (const Ranks& ranks = trainer.ranks(); ranks.count() > 1)
    log.note("{} ranks; streams per rank: {}, threads per rank: {}", ranks.count(),
             config.train.batch / ranks.count(), threads());
  if (config.precision != ProductChoice::f32 && model.device() == Device::cpu)
    log.note("precision {} is for CUDA devices: the CPU computes in {}", fade::name_of(config.precision),
             precision_name(config, Device::cpu));
  if (!trainer.can_validate())
    log.note("no validation: {} leaves it less than two bytes",
             config.train.eval_bytes == 1 ? "train.eval_bytes" : "data.split");
  if (steps) note_warmup(config.train.schedule, steps, log);
}

// What rank 0 does: the run directory, and the loop.
bool lead_training(Trainer& trainer, const RunOptions& options) {
  const Config& config = trainer.config();
  const Leading leading(trainer.ranks());
  std::string which;
  std::vector<std::string> warnings;
  if (!options.from.empty()) {
    const WeightsFile weights = read_weights(options.from, [&](const auto&, const std::string& what) {
      warnings.push_back(fmt::format("warning: {}; taking the next checkpoint of the run", what));
    });
    load_weights(weights.file, weights.path, trainer.model());
    which = weights.which.empty() ? weights.path.string() : weights.which;
  }
  const InterruptGuard guard;
  RunDirectory directory(options.out, options.resume);
  Resumed from;
  if (options.minutes > 0) trainer.set_steps(0);
  if (options.resume) from = resume(trainer, directory, options.minutes > 0);
  if (options.on_begin) options.on_begin();  // nothing is written before everything has been checked
  if (trainer.ranks().count() > 1 && !from.step)
    trainer.restore(trainer.state());  // all have rank 0's weights
  if (!options.from.empty()) {         // before the run can be resumed, which would begin with other weights
    if (const auto other = directory.path() / kConfigFile; path_exists(other))
      refuse("--from: {} is there already (remove it, or give another --out)", other.string());
    save_checkpoint(directory.path(), config, trainer.state(), {});
    from.step = 0;
  }
  directory.write_config(config);
  RunLog log(directory.path(), trainer.steps_done(), config.train.tensorboard);

  for (const std::string& note : options.notes) log.note("{}", note);
  announce(trainer, options, log);
  for (const std::string& warning : warnings) log.note("{}", warning);
  if (!which.empty()) log.note("begins with the weights of {}", which);
  for (const std::string& note : from.notes) log.note("{}", note);
  if (trainer.steps_done()) log.note("resumed after step {}", trainer.steps_done());
  return Run(options, trainer, directory, log, from).train();
}

}  // namespace

bool run_training(const Config& config, const RunOptions& options, const Ranks& ranks) {
  std::optional<Corpus> corpus;
  ranks.together([&] { corpus.emplace(config.data); });
  require_same(config, ranks);
  ranks.require_same("--minutes", fmt::to_string(options.minutes), "give all ranks the same");
  ranks.together([&] { TimeLimit::check(config.train, options.minutes); });
  require_same(*corpus, ranks);
  ranks.require_same("--check-finite", options.check_finite ? "on" : "off",
                     "give it to all ranks or to none");
  device_for(config.device, ranks);
  std::optional<Trainer> trainer;
  ranks.together([&] { trainer.emplace(config, *corpus, ranks); });
  trainer->check_finite(options.check_finite);
  if (ranks.leads()) return lead_training(*trainer, options);
  follow(*trainer);
  return true;
}

}  // namespace fade
