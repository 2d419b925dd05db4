// The weights of a checkpoint: a safetensors file that PyTorch can open,
// with the configuration in its metadata.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "engine/io/safetensors.h"
#include "models/transformer.h"
#include "train/checkpoint/store.h"
#include "train/config/config.h"
#include "train/data/corpus.h"

namespace fade {

/// The weights file that a user means by a run directory (its newest), a checkpoint directory or a file.
/// Throws InputError when there is none.
std::filesystem::path find_weights(const std::filesystem::path& checkpoint);

/// Writes the weights, F32 (F64 for an f64 model), under their names, with the configuration and what they
/// were trained on. Returns the file's content hash. Throws Error with the system's reason.
std::string save_weights(const std::filesystem::path& file, const std::vector<NamedTensor>& weights,
                         const Config& config, const CorpusIdentity& corpus);

/// The corpus that the weights were trained on; nothing is known of it in files of other programs.
CorpusIdentity corpus_of(const TensorFile& weights);

/// The configuration in the metadata of a weights file, which `path` names in errors. Throws InputError when
/// there is none, and as parse_config does.
Config config_of(const TensorFile& weights, const std::filesystem::path& path);

/// Throws InputError, naming the file, the tensor and the element, when the tensor of that file
/// is not finite.
void refuse_not_finite(const NamedTensor& t, const std::filesystem::path& path);

/// The file's tensors in the order of `expected`, converted to its data types; F32 and F64 are. Throws
/// InputError, naming `path` and the tensor, when one is missing, unknown, of another shape, or not finite
/// in that type.
std::vector<NamedTensor> matching_weights(const TensorFile& file, const std::filesystem::path& path,
                                          const std::vector<NamedTensor>& expected);

/// Overwrites the model's parameters by the file's tensors; `path` names the file in errors. Throws
/// InputError as matching_weights does.
void load_weights(const TensorFile& file, const std::filesystem::path& path, const Transformer& model);

/// A weights file as it was read.
struct WeightsFile {
  std::filesystem::path path;  ///< of the file
  std::string which;  ///< "runs/a/step-40, the best checkpoint of runs/a"; empty unless a run was to be read
  TensorFile file;    ///< its tensors and metadata
};

/// Reads the weights of a checkpoint: of a run directory the best, where there is one, or else the newest
/// whose weights are whole; damaged ones are handed to `on_damaged`. Throws InputError when none is whole.
WeightsFile read_weights(const std::filesystem::path& checkpoint, const OnDamaged& on_damaged = {});

/// How load_model makes the model.
struct ModelOptions {
  DeviceChoice device = DeviceChoice::automatic;  ///< automatic: the configuration's choice
  std::string config = {};  ///< a configuration's file, for weights without one in their metadata
  std::function<void(Config&)> change = {};  ///< of the configuration, before the model is made from it
};

/// A model with trained weights, and where they came from.
struct LoadedModel {
  std::filesystem::path file;          ///< the weights file
  std::string which;                   ///< as in WeightsFile
  Config config;                       ///< after ModelOptions::change
  CorpusIdentity corpus;               ///< what was trained on
  std::unique_ptr<Transformer> model;  ///< on the device of the options, in the configuration's type
};

/// The model of a checkpoint, made from the configuration that is inside it. Throws InputError as
/// read_weights, config_of, device_for and load_weights do, and when options.config is set
/// although the weights have their own.
LoadedModel load_model(const std::filesystem::path& checkpoint, const ModelOptions& options = {},
                       const OnDamaged& on_damaged = {});

}  // namespace fade
