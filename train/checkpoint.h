// Checkpoints: a model's weights in one safetensors file that PyTorch can open, and beside it what a run
// needs to go on bit for bit.
//
//   RUN/config.yaml        the resolved configuration
//   RUN/metrics.jsonl      a line an evaluation or log step
//   RUN/step-N/            one checkpoint: model.safetensors, state.safetensors
//   RUN/latest             the name of the newest checkpoint
//
// A checkpoint is written under another name, flushed, and renamed: it is there whole or not at all.
#pragma once

#include <filesystem>
#include <memory>

#include "models/transformer.h"
#include "nn/optimizer.h"
#include "train/config.h"
#include "train/streams.h"

namespace fade {

/// Where a run stands, beside its weights and optimizer.
struct RunState {
  int64_t step = 0;
  RngKey random;            ///< of dropout and span noise
  StreamPosition position;  ///< of the training reader
  Memory memory;
};

/// Writes the weights, named as in the specification, F32 (F64 for an f64 model), with the configuration
/// inside.
void save_weights(const std::filesystem::path& file, const Transformer& model, const Config& config);

/// Writes RUN/step-N, then points RUN/latest at it.
void save_checkpoint(const std::filesystem::path& run, const Transformer& model, const Optimizer& optimizer,
                     const RunState& state, const Config& config);

/// The weights file that a user means by a run directory, a checkpoint directory or a file. Throws InputError
/// when there is none.
std::filesystem::path find_weights(const std::filesystem::path& checkpoint);

/// Overwrites the model's parameters by the file's tensors; F32 and F64 are converted. Throws InputError,
/// naming the tensor, when one is missing, unknown, or of another shape.
void load_weights(const std::filesystem::path& file, const Transformer& model);

/// Reads what save_checkpoint wrote beside the weights of `checkpoint` into the optimizer. Returns the rest.
RunState load_state(const std::filesystem::path& checkpoint, const Transformer& model, Optimizer& optimizer);

struct LoadedModel {
  std::filesystem::path file;
  Config config;
  std::unique_ptr<Transformer> model;
};

/// The model of a checkpoint, with the configuration that is inside it.
LoadedModel load_model(const std::filesystem::path& checkpoint,
                       DeviceChoice device = DeviceChoice::automatic);

/// The device that a configuration's choice means here: `auto` is cuda where there is one, else cpu.
Device resolve(DeviceChoice choice);
DType resolve(Precision precision);

}  // namespace fade
