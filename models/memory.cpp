#include "models/memory.h"

#include <algorithm>

#include "ops/expire_mask/expire_mask.h"
#include "ops/gather_rows/gather_rows.h"

namespace fade {

Memory::Memory(int64_t layers, int64_t streams, int64_t hidden, DType dtype, Device device) {
  const LayerMemory empty{Tensor::zeros({0, hidden}, dtype, device), Tensor::zeros({0}, DType::i32, device),
                          Tensor::zeros({streams + 1}, DType::i32, device)};
  layers_.assign(static_cast<size_t>(layers), {empty, {}});
}

const LayerMemory& Memory::operator[](size_t l) const {
  if (layers_[l].next) settle();
  return layers_[l].now;
}

void Memory::advance(size_t l, const Tensor& block, const Survivors& survivors) {
  layers_[l].next = {block.detach(), survivors};
}

// The counts of all layers come in one copy.
void Memory::settle() const {
  std::vector<Layer*> waiting;
  for (Layer& layer : layers_)
    if (layer.next) waiting.push_back(&layer);
  const int64_t count = static_cast<int64_t>(waiting.size()), ends = streams() + 1;
  const Tensor starts = Tensor::empty({count, ends}, DType::i32, layers_.front().now.rows.device());
  for (int64_t i = 0; i < count; ++i)
    starts.rows(i, i + 1).copy_from(waiting[static_cast<size_t>(i)]->next->survivors.start.view({1, ends}));
  const std::vector<int32_t> host = starts.to_vector<int32_t>();
  for (int64_t i = 0; i < count; ++i) {
    Layer& layer = *waiting[static_cast<size_t>(i)];
    const auto& [block, survivors] = *layer.next;
    const int64_t left = host[static_cast<size_t>((i + 1) * ends - 1)];
    layer.now = {gather_rows_of(layer.now.rows, block, survivors.index.rows(0, left)),
                 survivors.age.rows(0, left), survivors.start, layer.now.read + block.size(0) / streams()};
    layer.next.reset();
  }
}

double Memory::mean_rows() const {
  int64_t rows = 0;
  for (size_t l = 0; l < layers(); ++l) rows += (*this)[l].count();
  return static_cast<double>(rows) / static_cast<double>(static_cast<int64_t>(layers()) * streams());
}

PackedRows context_rows(const LayerMemory& memory, int64_t block) {
  return {memory.start, context_ages(memory.age, memory.streams(), block), memory.streams(), block,
          memory.count()};
}

PaddedRows pad(const PackedRows& rows) {
  const std::vector<int32_t> start = rows.start.to_vector<int32_t>(), age = rows.age.to_vector<int32_t>();
  int64_t longest = 0;
  for (int64_t b = 0; b < rows.streams; ++b) longest = std::max<int64_t>(longest, start[b + 1] - start[b]);
  const int64_t L = longest + rows.block;
  std::vector<int32_t> index(static_cast<size_t>(rows.streams * L), -1), padded_age(index.size(), kNoRow);
  for (int64_t b = 0; b < rows.streams; ++b) {
    int64_t at = b * L;
    const auto put = [&](int64_t row) {
      index[at] = static_cast<int32_t>(row);
      padded_age[at++] = age[row];
    };
    for (int64_t row = start[b]; row < start[b + 1]; ++row) put(row);
    for (int64_t p = 0; p < rows.block; ++p) put(rows.memory_rows + b * rows.block + p);
  }
  const Device device = rows.age.device();
  return {Tensor::from(index, {rows.streams, L}).to(device),
          Tensor::from(padded_age, {rows.streams, L}).to(device)};
}

}  // namespace fade
