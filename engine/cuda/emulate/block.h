// One thread block of a launch. Its threads take turns on one thread of the operating system.
#pragma once

#include "engine/cuda/emulate/cuda.h"

namespace fade::emulate {

/// The index of thread or thread block `number`: along x first, then y, then z.
inline uint3 index_of(uint64_t number, dim3 size) {
  const auto part = [](uint64_t n) { return static_cast<unsigned>(n); };
  return {part(number % size.x), part(number / size.x % size.y), part(number / size.x / size.y)};
}

/// The reverse.
inline uint32_t number_of(uint3 index, dim3 size) { return index.x + size.x * (index.y + size.y * index.z); }

/// Runs `thread` for every thread of thread block number `block` of the grid. Throws, saying where, what one
/// of them threw, or that some wait forever.
void run_block(const Grid& grid, const std::function<void()>& thread, int64_t block);

/// True iff these bytes are all in the running thread block's dynamic shared memory.
bool is_dynamic_shared(const void* p, size_t bytes);

}  // namespace fade::emulate
