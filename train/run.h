// A training run: a trainer, its directory, and what is said while it runs.
#pragma once

#include <filesystem>

#include "train/config/config.h"

namespace fade {

struct RunOptions {
  std::filesystem::path out;  ///< the run directory
  bool resume = false;        ///< go on from its newest checkpoint
  double minutes = 0;        ///< of training, after which the run is over before train.steps are; 0: no limit
  bool print_report = true;  ///< tell on standard output what was learned
  bool check_finite = false;  ///< look at the result and gradient of every operation
};

/// Trains to the end, or to the step during which the user interrupted. Ends with a checkpoint either way; at
/// the end also with a validation. Returns true at the end. What cannot be written on the way, for want of
/// space or because the directory has vanished, is said and tried again; Error when the last checkpoint
/// cannot be written either. Throws InputError when `out` already holds a run and resume is off, or holds
/// none and it is on, or holds one of another model, or when another process trains there.
bool run_training(const Config& config, const RunOptions& options);

}  // namespace fade
