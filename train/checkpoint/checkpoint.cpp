#include "train/checkpoint/checkpoint.h"

#include <charconv>

#include "train/checkpoint/store.h"
#include "train/config/file.h"

namespace fade {
namespace fs = std::filesystem;
namespace {

constexpr const char* kModelFile = "model.safetensors";
constexpr const char* kStateFile = "state.safetensors";
constexpr const char* kWeightsKey = "weights";  ///< of the state: the hash of the weights beside it

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

LayerMemory get_layer(const TensorFile& file, const fs::path& path, size_t layer, const Transformer& model) {
  const std::string name = fmt::format("memory.{}.", layer);
  for (const char* part : {"rows", "age", "start"})
    if (!file.has(name + part)) refuse("{}: has no tensor {}{}", path.string(), name, part);
  const int64_t count = file.at(name + "age").numel();
  const int64_t streams = file.at(name + "start").numel() - 1;
  const LayerMemory m{tensor(file, path, name + "rows", {count, model.config().hidden}, model.dtype()),
                      tensor(file, path, name + "age", {count}, DType::i32),
                      tensor(file, path, name + "start", {streams + 1}, DType::i32),
                      number<int64_t>(file, path, "memory.read")};
  const std::vector<int32_t> start = m.start.to_vector<int32_t>();
  if (!std::ranges::is_sorted(start)) refuse("{}: {}start does not ascend", path.string(), name);
  if (start.empty() || start.front() != 0 || start.back() != count)
    refuse("{}: {}start does not run from 0 to its {} rows", path.string(), name, count);
  const ModelConfig& c = model.config();
  const int64_t slots = c.kind == Kind::compressive ? int64_t{c.compress.slots + 1} * c.compress.rate : 0;
  const int64_t oldest = int64_t{c.max_span} + c.span.ramp + 2 * int64_t{c.block} + slots;
  for (const int32_t age : m.age.to_vector<int32_t>())
    if (age < 1 || age > oldest)
      refuse("{}: {}age holds {}, allowed: 1 to {}", path.string(), name, age, oldest);
  return {m.rows.to(model.device()), m.age.to(model.device()), m.start.to(model.device()), m.read};
}

Memory get_memory(const TensorFile& file, const fs::path& path, const Transformer& model) {
  const LayerMemory first = get_layer(file, path, 0, model);
  Memory memory = model.empty_memory(first.streams());
  memory.set(0, first);
  for (size_t l = 1; l < memory.layers(); ++l) {
    const LayerMemory layer = get_layer(file, path, l, model);
    if (layer.streams() != first.streams())
      refuse("{}: memory.{} has {} streams, memory.0 {}", path.string(), l, layer.streams(), first.streams());
    memory.set(l, layer);
  }
  return memory;
}

// What is wrong with a pair of files beside what load_safetensors checks.
void check_pair(const Checkpoint& c) {
  if (c.weights.content_hash.empty() || c.state.content_hash.empty())
    refuse("{}: its files have no content hash (were they changed by another program?)", c.folder.string());
  const auto of = c.state.metadata.find(kWeightsKey);
  if (of == c.state.metadata.end() || of->second != c.weights.content_hash)
    refuse("{}: {} and {} were not written together", c.folder.string(), kModelFile, kStateFile);
}

// The first of the paths for which `read` throws no InputError. With one path, its error is the caller's.
template <class Read>
auto first_whole(const std::vector<fs::path>& paths, const OnDamaged& on_damaged, const Read& read) {
  for (size_t i = 0; i + 1 < paths.size(); ++i) {
    try {
      return read(paths[i]);
    } catch (const InputError& e) {
      if (on_damaged) on_damaged(paths[i], e.what());
    }
  }
  return read(paths.back());
}

// The checkpoints, or the one checkpoint or file, that a user means; never none.
std::vector<fs::path> meant_by(const fs::path& checkpoint) {
  std::error_code ignored;
  if (!fs::exists(checkpoint, ignored))
    refuse("{}: there is no such run, checkpoint or file (fade train writes runs, by itself into runs/)",
           checkpoint.string());
  if (!fs::is_directory(checkpoint, ignored) || fs::exists(checkpoint / kModelFile, ignored))
    return {checkpoint};
  std::vector<fs::path> found = checkpoints_to_try(checkpoint);
  if (found.empty())
    refuse("{}: neither a checkpoint (no {}) nor a run with one (no step-N)", checkpoint.string(),
           kModelFile);
  return found;
}

fs::path weights_in(const fs::path& checkpoint) {
  std::error_code ignored;
  return fs::is_directory(checkpoint, ignored) ? checkpoint / kModelFile : checkpoint;
}

// Returns the file's hash.
std::string save_weights(const fs::path& file, const Transformer& model, const Config& config) {
  TensorFile out;
  out.metadata["config"] = to_yaml(config);
  for (const Parameter& p : model.parameters().all()) out.tensors.push_back({p.name, p.value()});
  return save_safetensors(file, out);
}

}  // namespace

void save_checkpoint(const fs::path& run, const Transformer& model, const Optimizer& optimizer,
                     const RunState& state, const Config& config) {
  TensorFile file;
  file.metadata = {{"step", fmt::to_string(state.step)},
                   {"updates", fmt::to_string(optimizer.steps())},
                   {"skipped", fmt::to_string(state.skipped)},
                   {"random.stream", fmt::to_string(state.random.stream)},
                   {"data.epoch", fmt::to_string(state.position.epoch)},
                   {"data.offset", fmt::to_string(state.position.offset)},
                   {"memory.read", fmt::to_string(state.memory[0].read)}};
  if (state.best) {
    file.metadata["best.step"] = fmt::to_string(state.best->step);
    file.metadata["best.bits_per_byte"] = fmt::to_string(state.best->bits_per_byte);
  }
  for (const Parameter& p : optimizer.state()) file.tensors.push_back({p.name, p.value()});
  put_memory(file, state.memory);
  add_checkpoint(run, state.step, [&](const fs::path& folder) {
    file.metadata[kWeightsKey] = save_weights(folder / kModelFile, model, config);
    save_safetensors(folder / kStateFile, file);
  });
}

Checkpoint read_checkpoint(const fs::path& checkpoint, const OnDamaged& on_damaged) {
  return first_whole(meant_by(checkpoint), on_damaged, [](const fs::path& folder) {
    Checkpoint c{folder, load_safetensors(folder / kModelFile), load_safetensors(folder / kStateFile)};
    check_pair(c);
    return c;
  });
}

Config config_of(const TensorFile& weights, const fs::path& path) {
  const auto text = weights.metadata.find("config");
  if (text == weights.metadata.end())
    refuse("{}: has no configuration in its metadata (was it written by fade?)", path.string());
  return parse_config(text->second, path.string() + " (its configuration)");
}

fs::path find_weights(const fs::path& checkpoint) { return weights_in(meant_by(checkpoint).front()); }

void load_weights(const fs::path& file, const Transformer& model) {
  set_weights(load_safetensors(file), file, model);
}

void set_weights(const TensorFile& file, const fs::path& path, const Transformer& model) {
  for (const auto& [name, t] : file.tensors)
    if (!model.parameters().has(name))
      refuse("{}: tensor {} is not a parameter of this model (another kind or size?)", path.string(), name);
  for (const Parameter& p : model.parameters().all()) {
    if (!file.has(p.name)) refuse("{}: tensor {} is missing", path.string(), p.name);
    const Tensor& t = file.at(p.name);
    const Tensor value = p.value();
    if (t.shape() != value.shape())
      refuse("{}: {} has shape {}, the model needs {}", path.string(), p.name, t.shape().str(),
             value.shape().str());
    if (t.dtype() != DType::f32 && t.dtype() != DType::f64)
      refuse("{}: {} is a tensor of {}, needs f32 or f64", path.string(), p.name, fade::name_of(t.dtype()));
    value.copy_from(t.to(model.dtype()));
  }
}

RunState restore_state(const Checkpoint& checkpoint, const Transformer& model, Optimizer& optimizer) {
  const fs::path path = checkpoint.folder / kStateFile;
  const TensorFile& file = checkpoint.state;
  RunState state{
      .step = 0, .random = {}, .position = {}, .memory = model.empty_memory(0), .best = {}, .skipped = 0};
  state.step = number<int64_t>(file, path, "step");
  state.skipped = number<int64_t>(file, path, "skipped");
  state.random.stream = number<uint64_t>(file, path, "random.stream");
  state.position = {number<int64_t>(file, path, "data.epoch"), number<int64_t>(file, path, "data.offset")};
  if (file.metadata.contains("best.step"))
    state.best = {number<double>(file, path, "best.bits_per_byte"), number<int64_t>(file, path, "best.step")};
  optimizer.set_steps(number<int64_t>(file, path, "updates"));
  for (const Parameter& p : optimizer.state()) {
    const Tensor value = p.value();
    value.copy_from(tensor(file, path, p.name, value.shape(), value.dtype()));
  }
  state.memory = get_memory(file, path, model);
  return state;
}

LoadedModel load_model(const fs::path& checkpoint, DeviceChoice device, const OnDamaged& on_damaged) {
  LoadedModel loaded;
  const TensorFile file = first_whole(meant_by(checkpoint), on_damaged, [&](const fs::path& path) {
    loaded.file = weights_in(path);
    return load_safetensors(loaded.file);
  });
  loaded.config = config_of(file, loaded.file);
  const Device d = resolve(device == DeviceChoice::automatic ? loaded.config.device : device);
  loaded.model =
      std::make_unique<Transformer>(loaded.config.model, resolve(loaded.config.dtype), d, loaded.config.seed);
  set_weights(file, loaded.file, *loaded.model);
  return loaded;
}

Device resolve(DeviceChoice choice) {
  if (choice == DeviceChoice::cpu) return Device::cpu;
  if (choice == DeviceChoice::automatic && !has_backend(Device::cuda)) return Device::cpu;
  backend(Device::cuda);  // says what is missing
  return Device::cuda;
}

DType resolve(Precision precision) {
  switch (precision) {
    case Precision::f32:
      return DType::f32;
    case Precision::f64:
      return DType::f64;
    default:
      refuse("dtype: found bf16, which fade does not have yet (use f32)");
  }
}

}  // namespace fade
