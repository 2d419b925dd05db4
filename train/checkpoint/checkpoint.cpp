#include "train/checkpoint/checkpoint.h"

#include <algorithm>
#include <charconv>

#include "train/checkpoint/weights.h"

namespace fade {
namespace fs = std::filesystem;
namespace {

constexpr const char *kOptimizerSteps = "optimizer.steps", *kCorpusSince = "corpus.since";

// "memory.WHAT" of the first set of streams, as in checkpoints of one set, and older ones; "memory.turn.1.WHAT" of the next.
template <class What>
std::string memory_key(size_t turn, const What& what) {
  return turn == 0 ? fmt::format("memory.{}", what) : fmt::format("memory.turn.{}.{}", turn, what);
}

void put_memory(TensorFile& file, const Memory& memory, size_t turn) {
  file.metadata[memory_key(turn, "read")] = fmt::to_string(memory[0].read);
  for (size_t l = 0; l < memory.layers(); ++l) {
    const LayerMemory& m = memory[l];
    const std::string name = memory_key(turn, l) + ".";
    file.tensors.push_back({name + "rows", m.rows});
    file.tensors.push_back({name + "age", m.age});
    file.tensors.push_back({name + "start", m.start});
  }
}

/// Reads the file of a state.
class StateReader {
 public:
  explicit StateReader(const Checkpoint& c) : file_(c.state), path_((c.folder / kStateFile).string()) {}

  template <class T>
  T number(const std::string& key) const {
    const auto it = file_.metadata.find(key);
    T value{};
    if (it == file_.metadata.end() ||
        std::from_chars(it->second.data(), it->second.data() + it->second.size(), value).ec != std::errc())
      refuse("{}: its metadata has no number called {} (not a state file of fade?)", path_, key);
    return value;
  }

  const Tensor& tensor(const std::string& name, const Shape& shape, DType dtype) const {
    const Tensor& t = tensor(name);
    if (t.shape() != shape || t.dtype() != dtype)
      refuse("{}: {} is {} {}, needs {} {} (from a run with another model?)", path_, name,
             fade::name_of(t.dtype()), t.shape().str(), fade::name_of(dtype), shape.str());
    refuse_not_finite({name, t}, path_);
    return t;
  }

  /// Of a set of streams. Its sizes are those of `like`, but for the number of streams.
  Memory memory(const ModelConfig& config, const Memory& like, size_t turn) const {
    Memory memory = like;
    for (size_t l = 0; l < memory.layers(); ++l) {
      const LayerMemory m = layer(l, config, like[l].rows, turn);
      memory.set(l, m);
      if (m.streams() != memory.streams())  // those of layer 0, which is set first
        refuse("{}: memory.{} has {} streams, memory.0 {}", path_, l, m.streams(), memory.streams());
    }
    return memory;
  }

 private:
  const Tensor& tensor(const std::string& name) const {
    if (!file_.has(name)) refuse("{}: has no tensor {}", path_, name);
    return file_.at(name);
  }

  // Rows of memory, which another precision kept in another type (f32 and bf16), in type `t`.
  Tensor rows(const std::string& name, const Shape& shape, DType t) const {
    const DType found = tensor(name).dtype();
    const bool converts =
        (found == DType::bf16 && t == DType::f32) || (found == DType::f32 && t == DType::bf16);
    return tensor(name, shape, converts ? found : t).to(t);
  }

  LayerMemory layer(size_t l, const ModelConfig& config, const Tensor& like, size_t turn) const {
    const std::string name = memory_key(turn, l) + ".";
    const int64_t count = tensor(name + "age").numel(), starts = tensor(name + "start").numel();
    const LayerMemory m{
        rows(name + "rows", {count, config.hidden}, like.dtype()), tensor(name + "age", {count}, DType::i32),
        tensor(name + "start", {starts}, DType::i32), number<int64_t>(memory_key(turn, "read"))};
    const std::vector<int32_t> start = m.start.to_vector<int32_t>();
    if (!std::ranges::is_sorted(start)) refuse("{}: {}start does not ascend", path_, name);
    if (start.empty() || start.front() != 0 || start.back() != count)
      refuse("{}: {}start does not run from 0 to its {} rows", path_, name, count);
    const int64_t oldest = kind_info(config.kind).oldest_age(config);
    for (const int32_t age : m.age.to_vector<int32_t>())
      if (age < 1 || age > oldest) refuse("{}: {}age holds {}, allowed: 1 to {}", path_, name, age, oldest);
    return {m.rows.to(like.device()), m.age.to(like.device()), m.start.to(like.device()), m.read};
  }

  const TensorFile& file_;
  std::string path_;
};

// Checks that the two files belong together; load_safetensors has checked each of them.
void check_pair(const Checkpoint& c) {
  if (c.weights.content_hash.empty() || c.state.content_hash.empty())
    refuse("{}: its files have no content hash (were they changed by another program?)", c.folder.string());
  const auto of = c.state.metadata.find(kWeightsKey);
  if (of == c.state.metadata.end() || of->second != c.weights.content_hash)
    refuse("{}: {} and {} were not written together", c.folder.string(), kModelFile, kStateFile);
}

// Older checkpoints call an optimizer's states first.NAME and second.NAME, whatever they are, and count
// its updates as the run's. Gives them their names.
void name_moments(Checkpoint& c) {
  if (c.state.metadata.contains(kOptimizerSteps)) return;
  c.state.metadata[kOptimizerSteps] = c.state.metadata["step"];
  const std::vector<std::string> names =
      state_names(config_of(c.weights, c.folder / kModelFile).train.optimizer.kind);
  constexpr std::string_view before[] = {"first.", "second."};
  for (NamedTensor& t : c.state.tensors)
    for (size_t s = 0; s < names.size(); ++s)
      if (t.name.starts_with(before[s])) t.name.replace(0, before[s].size(), names[s]);
}

}  // namespace

void save_checkpoint(const fs::path& run, const Config& config, const TrainState& state,
                     const std::optional<BestResult>& best) {
  TensorFile file;
  file.metadata = {{"step", fmt::to_string(state.steps)},
                   {kOptimizerSteps, fmt::to_string(state.optimizer_steps)},
                   {"skipped", fmt::to_string(state.skipped)},
                   {"random.stream", fmt::to_string(state.random_stream)},
                   {"data.epoch", fmt::to_string(state.position.epoch)},
                   {"data.offset", fmt::to_string(state.position.offset)},
                   {"data.turn", fmt::to_string(state.position.turn)},
                   {kCorpusSince, fmt::to_string(state.corpus_since)}};
  if (best) {
    file.metadata["best.step"] = fmt::to_string(best->step);
    file.metadata["best.bits_per_byte"] = fmt::to_string(best->bits_per_byte);
  }
  file.tensors = state.optimizer;
  for (size_t t = 0; t < state.memories.size(); ++t) put_memory(file, state.memories[t], t);
  add_checkpoint(run, state.steps, [&](const fs::path& folder) {
    file.metadata[kWeightsKey] = save_weights(folder / kModelFile, state.weights, config, state.corpus);
    save_safetensors(folder / kStateFile, file);
  });
}

Checkpoint read_checkpoint(const fs::path& checkpoint, const OnDamaged& on_damaged) {
  return first_whole(
      checkpoints_meant_by(checkpoint, Prefer::newest), on_damaged, [](const fs::path& folder) {
        Checkpoint c{folder, load_safetensors(folder / kModelFile), load_safetensors(folder / kStateFile)};
        check_pair(c);
        name_moments(c);
        return c;
      });
}

TrainState state_of(const Checkpoint& checkpoint, const Config& config, const TrainState& like) {
  const StateReader file(checkpoint);
  TrainState state{.steps = file.number<int64_t>("step"),
                   .skipped = file.number<int64_t>("skipped"),
                   .position = {file.number<int64_t>("data.epoch"), file.number<int64_t>("data.offset")},
                   .random_stream = file.number<uint64_t>("random.stream"),
                   .weights = matching_weights(checkpoint.weights, checkpoint.folder, like.weights)};
  // Another optimizer may share some states: its own are all there, or it starts afresh.
  if (std::ranges::all_of(like.optimizer,
                          [&](const NamedTensor& t) { return checkpoint.state.has(t.name); })) {
    for (const auto& [name, value] : like.optimizer)
      state.optimizer.push_back({name, file.tensor(name, value.shape(), value.dtype())});
    state.optimizer_steps = file.number<int64_t>(kOptimizerSteps);
  }
  state.corpus = corpus_of(checkpoint);
  if (checkpoint.state.metadata.contains("data.turn"))
    state.position.turn = file.number<int64_t>("data.turn");
  if (checkpoint.state.metadata.contains(kCorpusSince))
    state.corpus_since = file.number<int64_t>(kCorpusSince);
  size_t sets = 0;
  while (checkpoint.state.metadata.contains(memory_key(sets, "read"))) ++sets;
  if (sets > 0 && sets != like.memories.size())
    refuse("{}: was trained on {} sets of streams, train.turns is {} (leave train.turns as it was to resume)",
           checkpoint.folder.string(), sets, like.memories.size());
  for (const Memory& memory : like.memories) {
    state.memories.push_back(file.memory(config.model, memory, state.memories.size()));
    if (const int64_t streams = state.memories.back().streams(); streams != memory.streams())
      refuse("{}: was trained on {} streams, train.batch is {} (leave train.batch as it was to resume)",
             checkpoint.folder.string(), streams, memory.streams());
  }
  return state;
}

CorpusIdentity corpus_of(const Checkpoint& checkpoint) {
  const CorpusIdentity known = corpus_of(checkpoint.weights);
  return known.hash.empty() ? corpus_of(checkpoint.state) : known;  // where older checkpoints have it
}

std::optional<double> mean_rows_beside(const fs::path& weights) {
  const fs::path file = weights.parent_path() / kStateFile;
  if (weights.filename() != kModelFile || !path_exists(file)) return std::nullopt;
  const TensorFile state = load_safetensors(file);
  int64_t rows = 0, streams = 0;  // summed over layers
  for (const auto& [name, tensor] : state.tensors) {
    if (!name.starts_with("memory.")) continue;
    if (name.ends_with(".age")) rows += tensor.numel();
    if (name.ends_with(".start")) streams += tensor.numel() - 1;
  }
  if (streams < 1) refuse("{}: has no memory (not a state file of fade?)", file.string());
  return static_cast<double>(rows) / static_cast<double>(streams);
}

std::optional<BestResult> best_of(const Checkpoint& checkpoint) {
  if (!checkpoint.state.metadata.contains("best.step")) return std::nullopt;
  const StateReader file(checkpoint);
  return BestResult{file.number<double>("best.bits_per_byte"), file.number<int64_t>("best.step")};
}

}  // namespace fade
