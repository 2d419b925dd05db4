#include "train/checkpoint/weights.h"

#include "engine/finite.h"
#include "nn/parameters_file.h"
#include "train/config/file.h"
#include "train/config/number.h"
#include "train/config/resolve.h"

namespace fade {
namespace fs = std::filesystem;
namespace {

constexpr const char *kCorpusBytes = "corpus.bytes", *kCorpusHash = "corpus.hash";  // in the metadata

fs::path weights_in(const fs::path& checkpoint) {
  std::error_code ignored;
  return fs::is_directory(checkpoint, ignored) ? checkpoint / kModelFile : checkpoint;
}

}  // namespace

void refuse_not_finite(const NamedTensor& t, const fs::path& path) {
  if (const std::string what = not_finite(t.tensor); !what.empty())
    refuse("{}: {} {}: {} (use an earlier step-N of the run; to train on from it, write its name into {})",
           path.string(), t.name, t.tensor.shape().str(), what, kLatest);
}

fs::path find_weights(const fs::path& checkpoint) {
  return weights_in(checkpoints_meant_by(checkpoint, Prefer::newest).front());
}

std::string save_weights(const fs::path& file, const std::vector<NamedTensor>& weights, const Config& config,
                         const CorpusIdentity& corpus) {
  return save_safetensors(file, {.tensors = weights,
                                 .metadata = {{"config", to_yaml(config)},
                                              {kCorpusBytes, fmt::to_string(corpus.bytes)},
                                              {kCorpusHash, corpus.hash}},
                                 .content_hash = {}});
}

CorpusIdentity corpus_of(const TensorFile& weights) {
  const auto bytes = weights.metadata.find(kCorpusBytes), hash = weights.metadata.find(kCorpusHash);
  if (bytes == weights.metadata.end() || hash == weights.metadata.end()) return {};
  return {parse_number<int64_t>(bytes->second, {}).value_or(0), hash->second};
}

Config config_of(const TensorFile& weights, const fs::path& path) {
  const auto text = weights.metadata.find("config");
  if (text != weights.metadata.end())
    return parse_config(text->second, path.string() + " (its configuration)");
  refuse("{}: has no configuration in its metadata (give it with --config FILE)", path.string());
}

std::vector<NamedTensor> matching_weights(const TensorFile& file, const fs::path& path,
                                          const std::vector<NamedTensor>& expected) {
  std::vector<NamedTensor> weights = matching_tensors(file, path, expected);
  for (const NamedTensor& t : weights) refuse_not_finite(t, path);
  return weights;
}

void load_weights(const TensorFile& file, const fs::path& path, const Transformer& model) {
  const std::vector<NamedTensor> to = named_values(model.parameters());
  const std::vector<NamedTensor> from = matching_weights(file, path, to);
  for (size_t i = 0; i < to.size(); ++i) to[i].tensor.copy_from(from[i].tensor);
}

WeightsFile read_weights(const fs::path& checkpoint, const OnDamaged& on_damaged) {
  return first_whole(checkpoints_meant_by(checkpoint, Prefer::best), on_damaged, [&](const fs::path& path) {
    WeightsFile read{weights_in(path), {}, load_safetensors(weights_in(path))};
    if (read.file.metadata.contains(kWeightsKey))
      refuse("{}: the state of a run, without its weights (give its folder, or the {} there)", path.string(),
             kModelFile);
    if (path != checkpoint) {
      const bool best = is_named_by(kBest, path);
      read.which = fmt::format("{}, the {} checkpoint of {}", path.string(), best ? "best" : "newest",
                               path.parent_path().string());
    }
    return read;
  });
}

LoadedModel load_model(const fs::path& checkpoint, const ModelOptions& options, const OnDamaged& on_damaged) {
  const WeightsFile weights = read_weights(checkpoint, on_damaged);
  if (!options.config.empty() && weights.file.metadata.contains("config"))
    refuse("--config {}: {} has its own configuration (leave --config out)", options.config,
           weights.path.string());
  LoadedModel loaded{
      weights.path, weights.which,
      options.config.empty() ? config_of(weights.file, weights.path) : load_config(options.config),
      corpus_of(weights.file), nullptr};
  if (options.change) options.change(loaded.config);
  const Config& c = loaded.config;
  const Device on = device_for(options.device == DeviceChoice::automatic ? c.device : options.device);
  loaded.model = std::make_unique<Transformer>(c.model, types_for(c, on), on, c.seed);
  load_weights(weights.file, weights.path, *loaded.model);
  return loaded;
}

}  // namespace fade
