// A training run: the loop around a trainer, its directory, its log and its checkpoints.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/ranks/ranks.h"
#include "train/checkpoint/checkpoint.h"
#include "train/config/config.h"
#include "train/report.h"

namespace fade {

/// A run that has reached its end.
struct FinishedRun {
  std::filesystem::path checkpoint;  ///< the last one
  int64_t step = 0;                  ///< of it
  std::optional<Report> report;    ///< of the validation split; none when it is empty, or after an interrupt
  Bytes text;                      ///< that split, or its first train.eval_bytes
  std::optional<BestResult> best;  ///< of all validations
};

/// What to train into, from where, and for how long.
struct RunOptions {
  std::filesystem::path out;        ///< the run directory
  std::filesystem::path from = {};  ///< a checkpoint whose weights a new run begins with
  bool resume = false;              ///< continue from its newest checkpoint
  /// Of training in all, with which the schedule ends; train.steps then does not count (TimeLimit). 0: train.steps counts.
  double minutes = 0;
  bool cpu_time = false;  ///< on device cpu, minutes of TrainingTime::cpu, else of the clock on the wall
  std::vector<std::string> notes = {};  ///< said at the start
  /// For the end of a run that can be continued: "resume with: ..."; --minutes is added while it decides.
  std::string hint = {};
  bool check_finite = false;  ///< check the result and the gradient of every operation
  /// Called when all has been checked, before the run changes a file.
  std::function<void()> on_begin = {};
  /// Called at the end of the run, unless nothing was left to do.
  std::function<void(const FinishedRun&)> on_end = {};
};

/// Trains to the end, or to the step during which the user interrupts. Either way a checkpoint is
/// written then; at the end also a validation. Returns true at the end. When something cannot be
/// written on the way, for want of space or because the directory has vanished, a warning says so and
/// it is tried again later; Error when the last checkpoint cannot be written either. Throws InputError
/// when `out` already holds a run and resume is off, holds none and resume is on, holds one of another
/// model, when another process trains there, when there is neither a time nor a number of steps, or as
/// TimeLimit::check; and, after a checkpoint of the last step, when the corpus cannot be read any more.
///
/// All ranks call it, with the same configuration on the same corpus, or InputError says what differs. Rank 0 alone reads and
/// writes the run directory, logs, and calls on_begin and on_end; the others return true when it is done.
bool run_training(const Config& config, const RunOptions& options, const Ranks& ranks = Ranks::alone());

}  // namespace fade
