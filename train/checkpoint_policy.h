// When the checkpoints of a run are written, which of them stay, and what happens when one cannot be written.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "train/checkpoint/checkpoint.h"
#include "train/checkpoint/run_directory.h"
#include "train/run_log.h"
#include "train/trainer.h"

namespace fade {

class CheckpointPolicy {
 public:
  /// `saved_step` and `best` are of the checkpoint from which the trainer continues; none in a new run.
  CheckpointPolicy(const Trainer& trainer, RunDirectory& directory, RunLog& log,
                   std::optional<int64_t> saved_step, const std::optional<BestResult>& best);

  /// True every train.checkpoint_every steps, and a minute after a checkpoint could not be written.
  bool is_due() const;

  /// Writes the checkpoint of the step just done, unless it has one, and removes those that need not stay.
  /// False, after a warning, when it cannot be written. Throws NonfiniteError when a weight is not finite.
  bool save();

  /// The same at the end of the run, where there is no later step: waits for space on the disk,
  /// for ten minutes at most or until the user interrupts. Throws Error when the checkpoint cannot
  /// be written then either.
  void save_final();

  /// Takes note of a validation after the step just done. When it is the best so far, its checkpoint is
  /// written and kept as RUN/best, unless checkpoints are written at the end only.
  void note_validation(double bits_per_byte);
  const std::optional<BestResult>& best() const { return best_; }

  /// "the last good checkpoint is RUN/step-N", for errors after which a user goes back to it.
  std::string last_good() const;

 private:
  using Clock = std::chrono::steady_clock;
  /// As save, without a word on what follows when it fails.
  bool try_to_save();
  /// RUN/best names the checkpoint of best().
  void mark_best_so_far();
  template <class Action>
  bool try_or_warn(const char* what, const Action& action);

  const Trainer& trainer_;
  const TrainConfig& config_;
  RunDirectory& directory_;
  RunLog& log_;
  std::optional<int64_t> saved_step_;
  std::optional<BestResult> best_;
  std::optional<Clock::time_point> retry_at_;  ///< of a checkpoint that could not be written
};

}  // namespace fade
