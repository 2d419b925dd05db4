#include "train/checkpoint/weights.h"

#include <algorithm>

#include "train/config/file.h"
#include "train/config/resolve.h"

namespace fade {
namespace fs = std::filesystem;
namespace {

fs::path weights_in(const fs::path& checkpoint) {
  std::error_code ignored;
  return fs::is_directory(checkpoint, ignored) ? checkpoint / kModelFile : checkpoint;
}

}  // namespace

fs::path find_weights(const fs::path& checkpoint) {
  return weights_in(checkpoints_meant_by(checkpoint).front());
}

std::string save_weights(const fs::path& file, const std::vector<NamedTensor>& weights,
                         const Config& config) {
  return save_safetensors(
      file, {.tensors = weights, .metadata = {{"config", to_yaml(config)}}, .content_hash = {}});
}

Config config_of(const TensorFile& weights, const fs::path& path) {
  const auto text = weights.metadata.find("config");
  if (text == weights.metadata.end())
    refuse("{}: has no configuration in its metadata (was it written by fade?)", path.string());
  return parse_config(text->second, path.string() + " (its configuration)");
}

std::vector<NamedTensor> matching_weights(const TensorFile& file, const fs::path& path,
                                          const std::vector<NamedTensor>& expected) {
  for (const auto& [name, t] : file.tensors)
    if (std::ranges::find(expected, name, &NamedTensor::name) == expected.end())
      refuse("{}: tensor {} is not a parameter of this model (another kind or size?)", path.string(), name);
  std::vector<NamedTensor> weights;
  for (const auto& [name, value] : expected) {
    if (!file.has(name)) refuse("{}: tensor {} is missing", path.string(), name);
    const Tensor& t = file.at(name);
    if (t.shape() != value.shape())
      refuse("{}: {} has shape {}, the model needs {}", path.string(), name, t.shape().str(),
             value.shape().str());
    if (t.dtype() != DType::f32 && t.dtype() != DType::f64)
      refuse("{}: {} is a tensor of {}, needs f32 or f64", path.string(), name, fade::name_of(t.dtype()));
    weights.push_back({name, t.to(value.dtype())});
  }
  return weights;
}

void load_weights(const TensorFile& file, const fs::path& path, const Transformer& model) {
  std::vector<NamedTensor> expected;
  for (const Parameter& p : model.parameters().all()) expected.push_back({p.name, p.value()});
  const std::vector<NamedTensor> weights = matching_weights(file, path, expected);
  for (size_t i = 0; i < weights.size(); ++i) expected[i].tensor.copy_from(weights[i].tensor);
}

LoadedModel load_model(const fs::path& checkpoint, DeviceChoice device, const OnDamaged& on_damaged) {
  LoadedModel loaded;
  const TensorFile file =
      first_whole(checkpoints_meant_by(checkpoint), on_damaged, [&](const fs::path& path) {
        loaded.file = weights_in(path);
        return load_safetensors(loaded.file);
      });
  loaded.config = config_of(file, loaded.file);
  const Config& c = loaded.config;
  const Device on = device_for(device == DeviceChoice::automatic ? c.device : device);
  loaded.model = std::make_unique<Transformer>(c.model, dtype_for(c.dtype), on, c.seed);
  load_weights(file, loaded.file, *loaded.model);
  return loaded;
}

}  // namespace fade
