#include "train/divided_memory.h"

#include <vector>

namespace fade {
namespace {

std::span<std::byte> bytes_of(const Tensor& t) {
  return {static_cast<std::byte*>(t.mutate_bytes()), t.size_bytes()};
}

/// What the tensors of a layer need.
struct Sizes {
  int64_t rows, streams, read;
};

LayerMemory empty_layer(const Sizes& sizes, const Tensor& like) {
  return {.rows = Tensor::empty({sizes.rows, like.size(1)}, like.dtype()),
          .age = Tensor::empty({sizes.rows}, DType::i32),
          .start = Tensor::empty({sizes.streams + 1}, DType::i32),
          .read = sizes.read};
}

LayerMemory on(Device device, const LayerMemory& m) {
  return {m.rows.to(device), m.age.to(device), m.start.to(device), m.read};
}

// Calls f with the bytes of each tensor of a layer on the CPU.
template <class F>
void each_tensor(const LayerMemory& m, const F& f) {
  for (const Tensor& t : {m.rows, m.age, m.start}) f(bytes_of(t));
}

// The rows of consecutive streams, those of one part after those of the one before it.
LayerMemory joined(const std::vector<LayerMemory>& parts) {
  Sizes sum{0, 0, parts.front().read};
  for (const LayerMemory& part : parts) {
    sum.rows += part.count();
    sum.streams += part.streams();
  }
  const LayerMemory all = empty_layer(sum, parts.front().rows);
  int32_t* start = all.start.mutate<int32_t>();
  *start = 0;
  int32_t rows = 0;
  for (const LayerMemory& part : parts) {
    const auto count = static_cast<int32_t>(part.count());
    all.rows.rows(rows, rows + count).copy_from(part.rows);
    all.age.rows(rows, rows + count).copy_from(part.age);
    for (int64_t b = 1; b <= part.streams(); ++b) *++start = rows + part.start.data<int32_t>()[b];
    rows += count;
  }
  return all;
}

// The rows of `own` streams of a layer.
LayerMemory part_of(const LayerMemory& all, Share own) {
  const int32_t* const start = all.start.data<int32_t>() + own.first;
  std::vector<int32_t> from_zero;
  for (int64_t b = 0; b <= own.count; ++b) from_zero.push_back(start[b] - start[0]);
  const int32_t begin = start[0], end = start[own.count];
  return {.rows = all.rows.rows(begin, end).clone(),
          .age = all.age.rows(begin, end).clone(),
          .start = Tensor::from(from_zero, {own.count + 1}),
          .read = all.read};
}

}  // namespace

void broadcast_values(const Tensor& values, const Ranks& ranks) {
  const Tensor host = values.to(Device::cpu);
  ranks.broadcast(bytes_of(host));
  if (!ranks.leads() && values.device() != Device::cpu) values.copy_from(host);
}

Memory gather_memory(const Memory& own, const Ranks& ranks) {
  if (ranks.count() == 1) return own;
  Memory all = own;
  for (size_t l = 0; l < own.layers(); ++l) {
    const LayerMemory mine = on(Device::cpu, own[l]);
    Sizes sizes{mine.count(), mine.streams(), mine.read};
    const auto message = std::as_writable_bytes(std::span(&sizes, 1));
    if (!ranks.leads()) {
      ranks.send(message, 0);
      each_tensor(mine, [&](std::span<std::byte> bytes) { ranks.send(bytes, 0); });
      continue;
    }
    std::vector<LayerMemory> parts{mine};
    for (int r = 1; r < ranks.count(); ++r) {
      ranks.receive(message, r);
      parts.push_back(empty_layer(sizes, mine.rows));
      each_tensor(parts.back(), [&](std::span<std::byte> bytes) { ranks.receive(bytes, r); });
    }
    all.set(l, joined(parts));
  }
  return all;
}

Memory divide_memory(const Memory& all, const Memory& own, const Ranks& ranks) {
  Memory divided = own;
  for (size_t l = 0; l < own.layers(); ++l) {
    const Device device = own[l].rows.device();
    if (ranks.count() == 1) {
      divided.set(l, on(device, all[l]));
      continue;
    }
    LayerMemory layer;
    Sizes sizes{};
    if (ranks.leads()) {
      layer = on(Device::cpu, all[l]);
      sizes = {layer.count(), layer.streams(), layer.read};
    }
    sizes = ranks.broadcast(sizes);
    if (!ranks.leads()) layer = empty_layer(sizes, own[l].rows);
    each_tensor(layer, [&](std::span<std::byte> bytes) { ranks.broadcast(bytes); });
    divided.set(l, on(device, part_of(layer, ranks.share(sizes.streams))));
  }
  return divided;
}

}  // namespace fade
