// The emulated device: CUDA kernels on the CPU, thread by thread. What engine/cuda/cuda.h includes
// instead of CUDA (runtime.h): the launch here, what kernels may use in types.h, thread.h and
// atomics.h. See docs/cuda.md.
#pragma once

#include <cmath>
#include <cstddef>
#include <functional>

#include "engine/cuda/emulate/async_copy.h"
#include "engine/cuda/emulate/atomics.h"
#include "engine/cuda/emulate/mma.h"
#include "engine/cuda/emulate/thread.h"
#include "engine/cuda/emulate/types.h"

namespace fade::emulate {

struct Grid {
  const char* name;  ///< of the kernel
  dim3 blocks, threads;
  size_t shared_bytes;  ///< of dynamic shared memory, per thread block
};

/// Runs `thread` for every thread of the grid, thread blocks spread over the cores, and returns when all
/// are done. The threads of a thread block take turns: each runs until it has to wait for others. Throws
/// Error, naming the kernel, thread block and thread, when threads wait for others that never arrive, or
/// when `thread` throws.
void run(const Grid& grid, const std::function<void()>& thread);

/// The dynamic shared memory of the calling thread's thread block.
void* dynamic_shared_memory();

}  // namespace fade::emulate

namespace fade::cuda_detail {

using Caller = emulate::Site;
using emulate::bf16_pair;
using emulate::close_copies;
using emulate::copy_async;
using emulate::dynamic_shared_memory;
using emulate::load_matrices;
using emulate::mma_bf16;
using emulate::mma_tf32;

template <int under_way>
void wait_for_copies() {
  emulate::wait_for_copies(under_way);
}

inline float fast_exp2(float x) { return std::exp2(x); }

template <class... P>
void run_kernel(const char* name, void (*kernel)(P...), dim3 grid, dim3 block, size_t shared_bytes,
                const P&... args) {
  emulate::run({name, grid, block, shared_bytes}, [&] { kernel(args...); });
}

}  // namespace fade::cuda_detail
