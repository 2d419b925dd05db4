// The weights of a checkpoint: a safetensors file that PyTorch can open,
// with the configuration in its metadata.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "engine/io/safetensors.h"
#include "models/transformer.h"
#include "train/checkpoint/store.h"
#include "train/config/config.h"

namespace fade {

/// The weights file that a user means by a run directory (its newest), a checkpoint directory or a file.
/// Throws InputError when there is none.
std::filesystem::path find_weights(const std::filesystem::path& checkpoint);

/// Writes the weights, F32 (F64 for an f64 model), under their names, with the configuration. Returns the
/// file's content hash. Throws Error with the system's reason.
std::string save_weights(const std::filesystem::path& file, const std::vector<NamedTensor>& weights,
                         const Config& config);

/// The configuration in the metadata of a weights file, which `path` names in errors.
Config config_of(const TensorFile& weights, const std::filesystem::path& path);

/// The file's tensors in the order of `expected`, converted to its data types; F32 and F64 are. Throws
/// InputError, naming `path` and the tensor, when one is missing, unknown, or of another shape.
std::vector<NamedTensor> matching_weights(const TensorFile& file, const std::filesystem::path& path,
                                          const std::vector<NamedTensor>& expected);

/// Overwrites the model's parameters by the file's tensors; `path` names the file in errors. Throws
/// InputError as matching_weights does.
void load_weights(const TensorFile& file, const std::filesystem::path& path, const Transformer& model);

struct LoadedModel {
  std::filesystem::path file;
  Config config;
  std::unique_ptr<Transformer> model;
};

/// The model of a checkpoint, made from the configuration that is inside it. Of a run directory: the newest
/// whose weights are whole; damaged ones are handed to `on_damaged`. Throws InputError when none is whole.
LoadedModel load_model(const std::filesystem::path& checkpoint, DeviceChoice device = DeviceChoice::automatic,
                       const OnDamaged& on_damaged = {});

}  // namespace fade
