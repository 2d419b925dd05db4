#include "nn/parameters_file.h"

#include <algorithm>

#include "engine/finite.h"
#include "engine/io/utf8.h"

namespace fade {

std::vector<NamedTensor> named_values(const Parameters& parameters) {
  std::vector<NamedTensor> values;
  for (const Parameter& p : parameters.all()) values.push_back({p.name, p.value()});
  return values;
}

std::vector<NamedTensor> matching_tensors(const TensorFile& file, const std::filesystem::path& path,
                                          const std::vector<NamedTensor>& expected) {
  for (const auto& [name, t] : file.tensors)
    if (std::ranges::find(expected, name, &NamedTensor::name) == expected.end())
      refuse("{}: tensor {} is not a parameter of this model (another kind, size or norm?)", path.string(),
             shown(name));
  std::vector<NamedTensor> matching;
  for (const auto& [name, value] : expected) {
    if (!file.has(name))
      refuse("{}: tensor {} is missing (another kind, size or norm?)", path.string(), name);
    const Tensor& t = file.at(name);
    if (t.shape() != value.shape())
      refuse("{}: {} has shape {}, the model needs {}", path.string(), name, t.shape().str(),
             value.shape().str());
    if (t.dtype() == DType::i32 || t.dtype() == DType::u8)
      refuse("{}: {} is a tensor of {}, needs f32, f64 or bf16", path.string(), name, name_of(t.dtype()));
    matching.push_back({name, t.to(value.dtype())});
  }
  return matching;
}

void save_parameters(const std::filesystem::path& path, const Parameters& parameters,
                     const std::map<std::string, std::string>& metadata) {
  save_safetensors(path, {.tensors = named_values(parameters), .metadata = metadata, .content_hash = {}});
}

std::map<std::string, std::string> load_parameters(const std::filesystem::path& path,
                                                   const Parameters& parameters) {
  const TensorFile file = load_safetensors(path);
  const std::vector<NamedTensor> to = named_values(parameters), from = matching_tensors(file, path, to);
  for (const NamedTensor& t : from)
    if (const std::string what = not_finite(t.tensor); !what.empty())
      refuse("{}: {} {}: {} (use a file from before the training went wrong)", path.string(), t.name,
             t.tensor.shape().str(), what);
  for (size_t i = 0; i < to.size(); ++i) to[i].tensor.copy_from(from[i].tensor);
  return file.metadata;
}

}  // namespace fade
