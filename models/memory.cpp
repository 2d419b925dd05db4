#include "models/memory.h"

#include <algorithm>

#include "ops/expire_mask/expire_mask.h"
#include "ops/gather_rows/gather_rows.h"

namespace fade {

LayerMemory LayerMemory::empty(int64_t streams, int64_t hidden, DType dtype, Device device) {
  return {Tensor::zeros({0, hidden}, dtype, device),
          {},
          std::vector<int64_t>(static_cast<size_t>(streams) + 1, 0)};
}

Memory empty_memory(int64_t layers, int64_t streams, int64_t hidden, DType dtype, Device device) {
  Memory memory;
  for (int64_t l = 0; l < layers; ++l) memory.push_back(LayerMemory::empty(streams, hidden, dtype, device));
  return memory;
}

double mean_rows(const Memory& memory) {
  double rows = 0, streams = 0;
  for (const LayerMemory& m : memory) {
    rows += static_cast<double>(m.count());
    streams += static_cast<double>(m.streams());
  }
  return streams > 0 ? rows / streams : 0;
}

ContextRows::ContextRows(const LayerMemory& memory, int64_t block_length)
    : streams(memory.streams()), block(block_length), start(memory.start), age(memory.age) {
  for (int64_t b = 0; b < streams; ++b)
    for (int64_t p = 0; p < block; ++p) age.push_back(static_cast<int32_t>(-p));
}

ContextRows::Padded ContextRows::pad(Device device) const {
  int64_t longest = 0;
  for (int64_t b = 0; b < streams; ++b) longest = std::max(longest, start[b + 1] - start[b]);
  const int64_t L = longest + block;
  std::vector<int32_t> index(static_cast<size_t>(streams * L), -1), padded_age(index.size(), kNoRow);
  for (int64_t b = 0; b < streams; ++b) {
    int64_t at = b * L;
    const auto put = [&](int64_t row) {
      index[at] = static_cast<int32_t>(row);
      padded_age[at++] = age[row];
    };
    for (int64_t row = start[b]; row < start[b + 1]; ++row) put(row);
    for (int64_t p = 0; p < block; ++p) put(memory_rows() + b * block + p);
  }
  return {Tensor::from(index, {streams, L}).to(device), Tensor::from(padded_age, {streams, L}).to(device)};
}

PackedRows ContextRows::pack(Device device) const {
  const std::vector<int32_t> starts(start.begin(), start.end());
  return {Tensor::from(starts, {streams + 1}).to(device), Tensor::from(age, {count()}).to(device), streams,
          block, memory_rows()};
}

LayerMemory remember(const Tensor& memory, const Tensor& block, const ContextRows& rows,
                     const std::vector<bool>& keep) {
  LayerMemory next;
  std::vector<int32_t> index;
  next.start.push_back(0);
  const auto take = [&](int64_t row) {
    if (!keep[row]) return;
    index.push_back(static_cast<int32_t>(row));
    next.age.push_back(rows.age[row] + static_cast<int32_t>(rows.block));
  };
  for (int64_t b = 0; b < rows.streams; ++b) {
    for (int64_t row = rows.start[b]; row < rows.start[b + 1]; ++row) take(row);
    for (int64_t p = 0; p < rows.block; ++p) take(rows.memory_rows() + b * rows.block + p);
    next.start.push_back(static_cast<int64_t>(index.size()));
  }
  const int64_t count = static_cast<int64_t>(index.size());
  next.rows = gather_rows_of(memory, block, Tensor::from(index, {count}).to(block.device()));
  return next;
}

}  // namespace fade
