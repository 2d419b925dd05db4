// CUDA for kernels: the only header of CUDA that a .cu file includes.
//
// Two implementations are behind it, and this is the one place that chooses. Built by nvcc, kernels run on
// the GPU (runtime.h). Built by g++ with FADE_EMULATE, the same files run on the CPU, thread by thread
// (emulate/cuda.h, docs/cuda.md). Both provide CUDA's words and types, cuda_detail::run_kernel and
// cuda_detail::dynamic_shared_memory; the rest of this file does not know which of them it has.
//
// "Block" alone is a block of tokens everywhere else, so that comments say "thread block" for CUDA's.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "engine/bad_index.h"

#ifdef FADE_EMULATE
#include "engine/cuda/emulate/cuda.h"
#else
#include "engine/cuda/runtime.h"
#endif

namespace fade {

inline constexpr int kWarp = 32;  ///< threads of a warp

/// The number of thread blocks, of `block` threads each, for n items, for kernels whose threads step through
/// the items by the size of the grid: no more than keep a GPU busy.
inline unsigned grid_for(int64_t n, int block) {
  constexpr int64_t kEnough = 4096;
  return static_cast<unsigned>(std::min((n + block - 1) / block, kEnough));
}

/// Runs kernel(args...) on `grid` thread blocks of `block` threads, after all that was launched before.
/// `name` is for errors, `shared_bytes` the dynamic shared memory per thread block. An empty grid is no work.
template <class... P>
void launch(const char* name, void (*kernel)(P...), dim3 grid, dim3 block, size_t shared_bytes,
            std::type_identity_t<P>... args) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  cuda_detail::run_kernel<P...>(name, kernel, grid, block, shared_bytes, args...);
}

/// The thread block's dynamic shared memory (launch's shared_bytes), 16-byte aligned.
template <class T>
__device__ T* dynamic_shared() {
  return static_cast<T*>(cuda_detail::dynamic_shared_memory());
}

/// 2^x with a relative error of some 2e-7 and 0 below 2^-126: one instruction.
__device__ inline float fast_exp2(float x) { return cuda_detail::fast_exp2(x); }

/// The first item of this thread in a loop over items by the whole (one-dimensional) grid.
__device__ inline int64_t grid_thread() { return int64_t{blockIdx.x} * blockDim.x + threadIdx.x; }
/// Its step in that loop: the number of threads.
__device__ inline int64_t grid_threads() { return int64_t{gridDim.x} * blockDim.x; }

/// The kernel of launch_each.
template <class F>
__global__ void each_index(F f, int64_t n) {
  for (int64_t i = grid_thread(); i < n; i += grid_threads()) f(i);
}

/// f(i) for each i in [0, n), in any order. F is a small struct of pointers and numbers with
/// `__device__ void operator()(int64_t i) const`.
template <class F>
void launch_each(const char* name, int64_t n, F f) {
  constexpr int kBlock = 256;
  launch(name, each_index<F>, grid_for(n, kBlock), kBlock, 0, f, n);
}

/// The first index that a kernel found out of range. A kernel cannot throw; the host throws when it next
/// waits for the device.
struct IndexError {
  int set;         ///< 1 once there is one
  BadIndex found;  ///< the first
};

/// In a kernel: check(index, place, size) is true iff lowest ≤ index < size; `place` is the position of the
/// index in its tensor. If false, skip the item; the host will throw the error of refuse_index.
struct IndexCheck {
  IndexError* error;  ///< of the device
  const char* op;     ///< BadIndex::op
  const char* what;   ///< BadIndex::what
  int64_t lowest;     ///< BadIndex::lowest
  /// True iff lowest ≤ index < size; if false, the error is kept.
  __device__ bool operator()(int64_t index, int64_t place, int64_t size) const {
    if (index >= lowest && index < size) return true;
    if (atomicCAS(&error->set, 0, 1) == 0) error->found = {op, what, index, place, lowest, size};
    return false;
  }
};

/// The check of operation `op`, which calls an index `what` (strings of the host with static storage).
IndexCheck index_check(const char* op, const char* what, int64_t lowest = 0);

}  // namespace fade

#include "engine/cuda/reduce.h"
