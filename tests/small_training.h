// The fixture of tests that train: a configuration of a small model on a short random text, and steps of it.
#pragma once

#include <string>
#include <vector>

#include "engine/product_precision.h"
#include "tests/models/model_support.h"
#include "tests/support.h"
#include "tests/threads.h"
#include "train/config/resolve.h"
#include "train/trainer.h"

namespace fade::test {

/// Writes a random text of `size` bytes below `vocab` into `dir` and returns its path.
std::string write_random_text(const TempDir& dir, size_t size, int vocab = small_model().vocab);

/// Trains small_model() on a random text of `text_size` bytes in `dir`, two streams, on the CPU. Nothing is
/// random except the initial weights.
Config small_config(const TempDir& dir, size_t text_size = 1500);

/// small_config() with dropout and span noise, a higher learning
/// rate, and a tenth of the text for validation.
Config small_noisy_config(const TempDir& dir, size_t text_size = 1500);

/// Trains `steps` steps. Returns the training loss of each, in bits per byte.
std::vector<double> train(Trainer& trainer, int steps);

/// While in scope, the process is set up as a configuration says, except for its threads.
struct ProcessAs : ProductPrecisionScope {
  /// From now on.
  explicit ProcessAs(const Config& config) : ProductPrecisionScope(product_precision()) {
    const Threads as_before(threads());
    set_up_process(config);
  }
};

/// Writes a checkpoint of `trainer` into the run directory `run`.
void save(const Trainer& trainer, const std::string& run);

/// Resumes from the newest checkpoint of the run directory `run`.
void resume(Trainer& trainer, const std::string& run);

/// All parameters of the model in training, as f64.
inline std::vector<double> all_values(const Trainer& trainer) { return all_values(trainer.model()); }

}  // namespace fade::test
