#include "models/memory.h"

#include "engine/module_scope.h"
#include "ops/gather_rows/gather_rows.h"

namespace fade {

Memory::Memory(int64_t layers, int64_t streams, int64_t hidden, DType dtype, Device device) {
  const LayerMemory empty{Tensor::zeros({0, hidden}, dtype, device), Tensor::zeros({0}, DType::i32, device),
                          Tensor::zeros({streams + 1}, DType::i32, device)};
  layers_.assign(static_cast<size_t>(layers), {empty, {}});
}

const LayerMemory& Memory::operator[](size_t l) const {
  if (layers_[l].pending)
    fail(
        "memory: layer {} is read before its forgotten rows are dropped (call drop_forgotten after each block)",
        l);
  return layers_[l].memory;
}

void Memory::append(size_t l, const Tensor& block, const Survivors& survivors, const KeptOfRows& kept) {
  if (layers_[l].pending)
    fail(
        "memory: layer {} reads a block before the forgotten rows are dropped (call drop_forgotten after each block)",
        l);
  layers_[l].pending = {block.detach(), survivors, kept};
}

LayerMemory Memory::survived(const Layer& layer, int64_t count) {
  const LayerMemory& past = layer.memory;
  const auto& [block, survivors, kept] = *layer.pending;
  const Tensor index = survivors.index.rows(0, count);
  const bool in_order = survivors.all && past.streams() == 1;  // all rows of the context, as they are
  return {.rows = in_order ? past.rows.append(block) : gather_rows_of(past.rows, block, index),
          .age = survivors.age.rows(0, count),
          .start = survivors.start,
          .read = past.read + block.size(0) / past.streams(),
          .forgot_at = survivors.all ? past.forgot_at : count,
          .kept = kept.kv ? KeptOfRows{kept.kv, kept.spans, in_order ? Tensor{} : index} : KeptOfRows{}};
}

void Memory::drop_forgotten() {
  std::vector<Layer*> pending, forgetful;
  for (Layer& layer : layers_) {
    if (!layer.pending) continue;
    pending.push_back(&layer);
    if (!layer.pending->survivors.all) forgetful.push_back(&layer);
  }
  if (pending.empty()) return;
  const ModuleScope scope("memory");

  const int64_t layers = std::ssize(forgetful), B = streams();
  const Tensor starts = Tensor::empty({layers, B + 1}, DType::i32, layers_.front().memory.rows.device());
  for (int64_t i = 0; i < layers; ++i)
    starts.rows(i, i + 1).copy_from(
        forgetful[static_cast<size_t>(i)]->pending->survivors.start.view({1, B + 1}));
  std::vector<int32_t> host;
  if (layers > 0) host = starts.to_vector<int32_t>();  // the one copy: waits for the device

  int64_t i = 0;
  for (Layer* layer : pending) {
    const Survivors& survivors = layer->pending->survivors;
    const int64_t count =
        survivors.all ? survivors.index.numel() : host[static_cast<size_t>(++i * (B + 1) - 1)];
    layer->memory = survived(*layer, count);
    layer->pending.reset();
  }
}

double Memory::mean_rows() const {
  int64_t rows = 0;
  for (size_t l = 0; l < layers(); ++l) rows += (*this)[l].count();
  return static_cast<double>(rows) / static_cast<double>(static_cast<int64_t>(layers()) * streams());
}

PackedRows context_rows(const LayerMemory& memory, int64_t block) {
  return {.start = memory.start,
          .age = context_ages(memory.age, memory.streams(), block),
          .streams = memory.streams(),
          .block = block,
          .memory_rows = memory.count()};
}

}  // namespace fade
