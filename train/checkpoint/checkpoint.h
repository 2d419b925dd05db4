// A checkpoint: the weights (train/checkpoint/weights.h) and the rest of a TrainState, in one
// folder. train/checkpoint/store.h says how such folders come and go.
#pragma once

#include <filesystem>
#include <optional>

#include "engine/io/safetensors.h"
#include "train/checkpoint/store.h"
#include "train/config/config.h"
#include "train/train_state.h"

namespace fade {

/// A validation result, and the step after which it was reached.
struct BestResult {
  double bits_per_byte;  ///< of the validation split
  int64_t step;          ///< from 1
};

/// The two files of a checkpoint as they were read.
struct Checkpoint {
  std::filesystem::path folder;  ///< RUN/step-N
  TensorFile weights;            ///< kModelFile
  TensorFile state;              ///< kStateFile
};

/// Adds a checkpoint to a run directory, which is created if it is not there. `best` is the best of the run's
/// validations. Throws Error when it cannot be written; the run's other checkpoints then stay as they were.
void save_checkpoint(const std::filesystem::path& run, const Config& config, const TrainState& state,
                     const std::optional<BestResult>& best = {});

/// Reads the newest whole checkpoint of a run directory, or the one in a step-N directory. Whole: both files
/// have the content that their hashes promise, and were written together. A damaged one is handed to
/// `on_damaged`, and the one before it is read. Throws InputError when none is whole.
Checkpoint read_checkpoint(const std::filesystem::path& checkpoint, const OnDamaged& on_damaged = {});

/// The state in a checkpoint, for a trainer of this configuration whose own state, `like`, gives the names,
/// shapes, types and device. Without a state of the optimizer when the checkpoint has none by these names: it
/// was trained by another optimizer. Throws InputError, naming the file, when the checkpoint belongs to
/// another model or number of streams.
TrainState state_of(const Checkpoint& checkpoint, const Config& config, const TrainState& like);

/// The corpus that was trained on; nothing is known of it in the oldest checkpoints.
CorpusIdentity corpus_of(const Checkpoint& checkpoint);

/// Rows in memory per stream and layer, on average, in the state beside the weights of a checkpoint; none
/// where there is no state. Throws InputError when it is damaged.
std::optional<double> mean_rows_beside(const std::filesystem::path& weights);

/// The best validation up to the checkpoint, if there was one. Throws InputError when the state's metadata is
/// not that of fade.
std::optional<BestResult> best_of(const Checkpoint& checkpoint);

}  // namespace fade
