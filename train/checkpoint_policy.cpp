#include "train/checkpoint_policy.h"

#include <fmt/format.h>

#include <thread>

#include "train/interrupt.h"

namespace fade {

// Runs an optional action; warns on failure. False, after a warning, when it fails.
template <class Action>
bool CheckpointPolicy::try_or_warn(const char* what, const Action& action) {
  try {
    action();
    return true;
  } catch (const Error& e) {
    log_.note("warning: step {}: {}: {}", trainer_.steps_done(), what, e.what());
    return false;
  }
}

CheckpointPolicy::CheckpointPolicy(const Trainer& trainer, RunDirectory& directory, RunLog& log,
                                   std::optional<int64_t> saved_step, const std::optional<BestResult>& best)
    : trainer_(trainer),
      config_(trainer.config().train),
      directory_(directory),
      log_(log),
      saved_step_(saved_step),
      best_(best) {
  if (saved_step)
    mark_best_so_far();  // the run may have gone back, or have been stopped before it was marked
}

void CheckpointPolicy::mark_best_so_far() {
  try_or_warn("best",
              [&] { mark_best(directory_.path(), best_ ? std::optional(best_->step) : std::nullopt); });
}

bool CheckpointPolicy::is_due() const {
  const int every = config_.checkpoint_every;
  return (every && trainer_.steps_done() % every == 0) || (retry_at_ && Clock::now() >= *retry_at_);
}

bool CheckpointPolicy::save() {
  const bool saved = try_to_save();
  if (!saved) log_.note("training continues; the next attempt is a minute or a checkpoint away");
  return saved;
}

bool CheckpointPolicy::try_to_save() {
  constexpr auto kRetry = std::chrono::seconds(60);
  const int64_t step = trainer_.steps_done();
  // Written once: replacing the newest checkpoint by itself would leave an instant without one.
  if (saved_step_ == step) return true;
  const TrainState state = trainer_.state();
  trainer_.check(state);
  const bool saved = try_or_warn("no checkpoint was written", [&] {
    if (directory_.recreate_if_gone(trainer_.config()))
      log_.note("warning: {} had vanished and was created again", directory_.path().string());
    log_.keep_time(step);
    log_.flush();
    save_checkpoint(directory_.path(), trainer_.config(), state, best_);
  });
  retry_at_ = saved ? std::nullopt : std::optional(Clock::now() + kRetry);
  if (!saved) return false;
  saved_step_ = step;
  mark_best_so_far();
  try_or_warn("an old checkpoint stays", [&] {
    remove_old_checkpoints(directory_.path(), step,
                           {config_.keep_checkpoints, config_.keep_every, state.corpus_since});
  });
  return true;
}

void CheckpointPolicy::save_final() {
  constexpr int kAttempts = 60;
  constexpr std::chrono::milliseconds kWait(10'000), kPollInterval(100);
  for (int i = 1; !try_to_save(); ++i) {
    if (InterruptGuard::requested() || i == kAttempts)
      fail("step {} has no checkpoint ({})", trainer_.steps_done(),
           saved_step_ ? fmt::format("the newest is step-{}", *saved_step_) : "nor has any before it");
    log_.note("the last checkpoint is tried again in 10 seconds; Ctrl-C gives up");
    for (auto slept = kPollInterval; slept < kWait && !InterruptGuard::requested(); slept += kPollInterval)
      std::this_thread::sleep_for(kPollInterval);
  }
}

void CheckpointPolicy::note_validation(double bits_per_byte) {
  if (best_ && best_->bits_per_byte <= bits_per_byte) return;
  const int64_t step = trainer_.steps_done();
  best_ = {bits_per_byte, step};
  if (config_.checkpoint_every && save()) mark_best_so_far();
}

std::string CheckpointPolicy::last_good() const {
  return saved_step_ ? fmt::format("the last good checkpoint is {}",
                                   (directory_.path() / fmt::format("step-{}", *saved_step_)).string())
                     : "there is no checkpoint yet";
}

}  // namespace fade
