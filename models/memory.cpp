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

void Memory::append(size_t l, const Tensor& block, const Survivors& survivors, const Tensor& kv) {
  if (layers_[l].pending)
    fail(
        "memory: layer {} reads a block before the forgotten rows are dropped (call drop_forgotten after each block)",
        l);
  layers_[l].pending = {block.detach(), survivors, kv};
}

void Memory::drop_forgotten() {
  std::vector<Layer*> pending;
  for (Layer& layer : layers_)
    if (layer.pending) pending.push_back(&layer);
  if (pending.empty()) return;
  const ModuleScope scope("memory");

  const int64_t layers = static_cast<int64_t>(pending.size()), B = streams();
  const Tensor starts = Tensor::empty({layers, B + 1}, DType::i32, layers_.front().memory.rows.device());
  for (int64_t i = 0; i < layers; ++i)
    starts.rows(i, i + 1).copy_from(
        pending[static_cast<size_t>(i)]->pending->survivors.start.view({1, B + 1}));
  const std::vector<int32_t> host = starts.to_vector<int32_t>();  // the one copy: waits for the device

  for (int64_t i = 0; i < layers; ++i) {
    Layer& layer = *pending[static_cast<size_t>(i)];
    const auto& [block, survivors, kv] = *layer.pending;
    const int64_t count = host[static_cast<size_t>(i * (B + 1) + B)];  // start[B]
    const Tensor index = survivors.index.rows(0, count);
    layer.memory = {.rows = gather_rows_of(layer.memory.rows, block, index),
                    .age = survivors.age.rows(0, count),
                    .start = survivors.start,
                    .read = layer.memory.read + block.size(0) / B,
                    .kept = kv ? KeptKeysValues{kv, index} : KeptKeysValues{}};
    layer.pending.reset();
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
