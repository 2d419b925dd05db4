// What a checkpoint holds: a model's weights in one safetensors file that PyTorch can open, and beside it
// what a run needs to go on bit for bit. train/checkpoint/store.h says how checkpoints come and go.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "engine/io/safetensors.h"
#include "models/transformer.h"
#include "nn/optimizer.h"
#include "train/config/config.h"
#include "train/data/streams.h"

namespace fade {

/// A validation result, and the step after which it was reached.
struct BestResult {
  double bits_per_byte;
  int64_t step;
};

/// Where a run stands, beside its weights and optimizer.
struct RunState {
  int64_t step = 0;
  RngKey random;            ///< of dropout and span noise
  StreamPosition position;  ///< of the training reader
  Memory memory;
  std::optional<BestResult> best;  ///< of the validations so far
  int64_t skipped = 0;             ///< steps skipped because they were not finite
};

/// Called with a checkpoint that is not whole, and what is wrong with it.
using OnDamaged = std::function<void(const std::filesystem::path& checkpoint, const std::string& what)>;

/// The two files of a checkpoint as they were read.
struct Checkpoint {
  std::filesystem::path folder;
  TensorFile weights, state;
};

/// Adds a checkpoint to a run directory, which is made if it is not there: the weights named as in the
/// specification, F32 (F64 for an f64 model), with the configuration inside; and the state. Throws Error when
/// it cannot be written; the run's other checkpoints are then as they were.
void save_checkpoint(const std::filesystem::path& run, const Transformer& model, const Optimizer& optimizer,
                     const RunState& state, const Config& config);

/// Reads the newest whole checkpoint of a run directory, or the one in a step-N directory. Whole: both files
/// have the content that their hashes promise, and were written together. What is not whole is handed to
/// `on_damaged`, and the one before it is read. Throws InputError when none is whole.
Checkpoint read_checkpoint(const std::filesystem::path& checkpoint, const OnDamaged& on_damaged = {});

/// The configuration in the metadata of a file of weights, which `path` names in errors.
Config config_of(const TensorFile& weights, const std::filesystem::path& path);

/// The weights file that a user means by a run directory (its newest), a checkpoint directory or a file.
/// Throws InputError when there is none.
std::filesystem::path find_weights(const std::filesystem::path& checkpoint);

/// Overwrites the model's parameters by the file's tensors; F32 and F64 are converted. Throws InputError,
/// naming the tensor, when one is missing, unknown, or of another shape.
void load_weights(const std::filesystem::path& file, const Transformer& model);

/// The same for a file that was read from `path`.
void set_weights(const TensorFile& file, const std::filesystem::path& path, const Transformer& model);

/// Fills the optimizer from a checkpoint's state. Returns the rest of it. Throws InputError when it belongs
/// to another model or optimizer.
RunState restore_state(const Checkpoint& checkpoint, const Transformer& model, Optimizer& optimizer);

struct LoadedModel {
  std::filesystem::path file;
  Config config;
  std::unique_ptr<Transformer> model;
};

/// The model of a checkpoint, with the configuration that is inside it. Of a run directory: the newest whose
/// weights are whole, as in read_checkpoint.
LoadedModel load_model(const std::filesystem::path& checkpoint, DeviceChoice device = DeviceChoice::automatic,
                       const OnDamaged& on_damaged = {});

/// The device that a configuration's choice means here: `auto` is cuda where there is one, else cpu.
Device resolve(DeviceChoice choice);
DType resolve(Precision precision);

}  // namespace fade
