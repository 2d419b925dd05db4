// A training run: a trainer, its directory, and what is said while it runs.
#pragma once

#include <filesystem>

#include "train/config.h"

namespace fade {

struct RunOptions {
  std::filesystem::path out;  ///< the run directory
  bool resume = false;        ///< go on from its newest checkpoint
};

/// Trains to the end, or to the step during which the user interrupted. Ends with a checkpoint either way,
/// and with a summary on standard output. Throws InputError when `out` already holds a run and resume is off,
/// or holds none and it is on, or holds one of another model.
void run_training(const Config& config, const RunOptions& options);

}  // namespace fade
