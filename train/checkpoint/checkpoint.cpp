#include "train/checkpoint/checkpoint.h"

#include <algorithm>
#include <charconv>

#include "train/checkpoint/store.h"
#include "train/checkpoint/weights.h"

namespace fade {
namespace fs = std::filesystem;
namespace {

constexpr const char* kWeightsKey = "weights";  ///< in the state's metadata: the hash of the weights file

template <class T>
T number(const TensorFile& file, const fs::path& path, const char* key) {
  const auto it = file.metadata.find(key);
  T value{};
  if (it == file.metadata.end() ||
      std::from_chars(it->second.data(), it->second.data() + it->second.size(), value).ec != std::errc())
    refuse("{}: its metadata has no number called {} (not a state file of fade?)", path.string(), key);
  return value;
}

const Tensor& tensor(const TensorFile& file, const fs::path& path, const std::string& name,
                     const Shape& shape, DType dtype) {
  if (!file.has(name)) refuse("{}: has no tensor {}", path.string(), name);
  const Tensor& t = file.at(name);
  if (t.shape() != shape || t.dtype() != dtype)
    refuse("{}: {} is {} {}, needs {} {} (from a run with another model?)", path.string(), name,
           fade::name_of(t.dtype()), t.shape().str(), fade::name_of(dtype), shape.str());
  return t;
}

void put_memory(TensorFile& file, const Memory& memory) {
  for (size_t l = 0; l < memory.layers(); ++l) {
    const LayerMemory& m = memory[l];
    const std::string name = fmt::format("memory.{}.", l);
    file.tensors.push_back({name + "rows", m.rows});
    file.tensors.push_back({name + "age", m.age});
    file.tensors.push_back({name + "start", m.start});
  }
}

LayerMemory get_layer(const TensorFile& file, const fs::path& path, size_t layer, const ModelConfig& c,
                      const Tensor& like) {
  const std::string name = fmt::format("memory.{}.", layer);
  for (const char* part : {"rows", "age", "start"})
    if (!file.has(name + part)) refuse("{}: has no tensor {}{}", path.string(), name, part);
  const int64_t count = file.at(name + "age").numel();
  const int64_t streams = file.at(name + "start").numel() - 1;
  const LayerMemory m{tensor(file, path, name + "rows", {count, c.hidden}, like.dtype()),
                      tensor(file, path, name + "age", {count}, DType::i32),
                      tensor(file, path, name + "start", {streams + 1}, DType::i32),
                      number<int64_t>(file, path, "memory.read")};
  const std::vector<int32_t> start = m.start.to_vector<int32_t>();
  if (!std::ranges::is_sorted(start)) refuse("{}: {}start does not ascend", path.string(), name);
  if (start.empty() || start.front() != 0 || start.back() != count)
    refuse("{}: {}start does not run from 0 to its {} rows", path.string(), name, count);
  const int64_t oldest = kind_info(c.kind).oldest_age(c);
  for (const int32_t age : m.age.to_vector<int32_t>())
    if (age < 1 || age > oldest)
      refuse("{}: {}age holds {}, allowed: 1 to {}", path.string(), name, age, oldest);
  return {m.rows.to(like.device()), m.age.to(like.device()), m.start.to(like.device()), m.read};
}

Memory get_memory(const TensorFile& file, const fs::path& path, const ModelConfig& config,
                  const Memory& like) {
  Memory memory = like;
  const int64_t streams = file.has("memory.0.start") ? file.at("memory.0.start").numel() - 1 : 0;
  for (size_t l = 0; l < memory.layers(); ++l) {
    const LayerMemory layer = get_layer(file, path, l, config, like[l].rows);
    if (layer.streams() != streams)
      refuse("{}: memory.{} has {} streams, memory.0 {}", path.string(), l, layer.streams(), streams);
    memory.set(l, layer);
  }
  return memory;
}

// Checks that the two files belong together; load_safetensors has checked each of them.
void check_pair(const Checkpoint& c) {
  if (c.weights.content_hash.empty() || c.state.content_hash.empty())
    refuse("{}: its files have no content hash (were they changed by another program?)", c.folder.string());
  const auto of = c.state.metadata.find(kWeightsKey);
  if (of == c.state.metadata.end() || of->second != c.weights.content_hash)
    refuse("{}: {} and {} were not written together", c.folder.string(), kModelFile, kStateFile);
}

}  // namespace

void save_checkpoint(const fs::path& run, const Config& config, const TrainState& state,
                     const std::optional<BestResult>& best) {
  TensorFile file;
  file.metadata = {{"step", fmt::to_string(state.steps)},
                   {"updates", fmt::to_string(state.steps)},
                   {"skipped", fmt::to_string(state.skipped)},
                   {"random.stream", fmt::to_string(state.random_stream)},
                   {"data.epoch", fmt::to_string(state.position.epoch)},
                   {"data.offset", fmt::to_string(state.position.offset)},
                   {"memory.read", fmt::to_string(state.memory[0].read)}};
  if (best) {
    file.metadata["best.step"] = fmt::to_string(best->step);
    file.metadata["best.bits_per_byte"] = fmt::to_string(best->bits_per_byte);
  }
  file.tensors = state.optimizer;
  put_memory(file, state.memory);
  add_checkpoint(run, state.steps, [&](const fs::path& folder) {
    file.metadata[kWeightsKey] = save_weights(folder / kModelFile, state.weights, config);
    save_safetensors(folder / kStateFile, file);
  });
}

Checkpoint read_checkpoint(const fs::path& checkpoint, const OnDamaged& on_damaged) {
  return first_whole(checkpoints_meant_by(checkpoint), on_damaged, [](const fs::path& folder) {
    Checkpoint c{folder, load_safetensors(folder / kModelFile), load_safetensors(folder / kStateFile)};
    check_pair(c);
    return c;
  });
}

TrainState state_of(const Checkpoint& checkpoint, const Config& config, const TrainState& like) {
  const fs::path path = checkpoint.folder / kStateFile;
  const TensorFile& file = checkpoint.state;
  TrainState state{
      .steps = number<int64_t>(file, path, "step"),
      .skipped = number<int64_t>(file, path, "skipped"),
      .position = {number<int64_t>(file, path, "data.epoch"), number<int64_t>(file, path, "data.offset")},
      .random_stream = number<uint64_t>(file, path, "random.stream"),
      .memory = like.memory,
      .weights = matching_weights(checkpoint.weights, checkpoint.folder, like.weights),
      .optimizer = {}};
  for (const auto& [name, value] : like.optimizer)
    state.optimizer.push_back({name, tensor(file, path, name, value.shape(), value.dtype())});
  state.memory = get_memory(file, path, config.model, like.memory);
  if (state.memory.streams() != like.memory.streams())
    refuse("{}: was trained on {} streams, train.batch is {} (leave train.batch as it was to resume)",
           checkpoint.folder.string(), state.memory.streams(), like.memory.streams());
  return state;
}

std::optional<BestResult> best_of(const Checkpoint& checkpoint) {
  const TensorFile& file = checkpoint.state;
  const fs::path path = checkpoint.folder / kStateFile;
  if (!file.metadata.contains("best.step")) return std::nullopt;
  return BestResult{number<double>(file, path, "best.bits_per_byte"),
                    number<int64_t>(file, path, "best.step")};
}

}  // namespace fade
