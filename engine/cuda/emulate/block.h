// One thread block of a launch. Its threads take turns on one thread of the operating system.
#pragma once

#include "engine/cuda/emulate/cuda.h"

namespace fade::emulate {

/// Runs `thread` for every thread of thread block number `block` of the grid. Throws, saying where, what one
/// of them threw, or that some wait forever.
void run_block(const Grid& grid, const std::function<void()>& thread, int64_t block);

}  // namespace fade::emulate
