// One thread block of a launch. Its threads take turns on one thread of the operating system.
#pragma once

#include "engine/cuda/emulate/cuda.h"

namespace fade::emulate {

/// The index of thread or thread block `number`: along x first, then y, then z.
inline uint3 index_of(uint64_t number, dim3 size) {
  const auto part = [](uint64_t n) { return static_cast<unsigned>(n); };
  return {part(number % size.x), part(number / size.x % size.y), part(number / size.x / size.y)};
}

/// Runs `thread` for every thread of thread block number `block` of the grid. Throws, saying where, what one
/// of them threw, or that some wait forever.
void run_block(const Grid& grid, const std::function<void()>& thread, int64_t block);

}  // namespace fade::emulate
