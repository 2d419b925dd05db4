// The one door to CUDA: every .cu file includes this and nothing else of CUDA.
//
// Built by nvcc, kernels run on the GPU. Built by g++ with FADE_EMULATE, the same files run thread by thread
// on the CPU (engine/cuda/emulate/, docs/cuda.md).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#ifdef FADE_EMULATE
#include "engine/cuda/emulate/cuda.h"
#else
#include <cuda_runtime.h>
#endif

namespace fade {

inline constexpr int kWarp = 32;
inline constexpr int kMaxGridYZ = 65535;  ///< most blocks along y and z; along x there may be 2^31 − 1

/// Blocks of `block` threads for n items, for kernels that step through their items by the size of the grid:
/// no more than keep a GPU busy.
inline unsigned grid_for(int64_t n, int block) {
  constexpr int64_t kEnough = 4096;
  return static_cast<unsigned>(std::min((n + block - 1) / block, kEnough));
}

#ifndef FADE_EMULATE
/// The stream on which everything runs, in order.
cudaStream_t cuda_stream();

/// Throws Error when `code` is not success: `what` failed, CUDA's words, and a remedy.
void check_cuda(cudaError_t code, const char* what);

namespace detail {
/// Before a launch: more than 48 KiB of dynamic shared memory has to be asked for.
void allow_shared_bytes(const char* name, const void* kernel, size_t bytes);
/// After a launch: throws, naming the kernel and its sizes, when it was refused.
void check_launch(const char* name, dim3 grid, dim3 block, size_t shared_bytes);
}  // namespace detail
#endif

/// Runs kernel(args...) on `grid` × `block` threads, after all that was launched before. `name` goes into
/// errors. `shared_bytes` of dynamic shared memory a block. A grid without blocks is no work.
template <class... P>
void launch(const char* name, void (*kernel)(P...), dim3 grid, dim3 block, size_t shared_bytes,
            std::type_identity_t<P>... args) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
#ifdef FADE_EMULATE
  emulate::run({name, grid, block, shared_bytes}, [&] { kernel(args...); });
#else
  detail::allow_shared_bytes(name, reinterpret_cast<const void*>(kernel), shared_bytes);
  kernel<<<grid, block, shared_bytes, cuda_stream()>>>(args...);
  detail::check_launch(name, grid, block, shared_bytes);
#endif
}

/// The block's dynamic shared memory (launch's shared_bytes), 16-byte aligned.
template <class T>
__device__ T* dynamic_shared() {
#ifdef FADE_EMULATE
  return static_cast<T*>(emulate::dynamic_shared_memory());
#else
  extern __shared__ __align__(16) unsigned char fade_dynamic_shared[];
  return reinterpret_cast<T*>(fade_dynamic_shared);
#endif
}

/// This thread's first item and step in a loop over items by the whole (one-dimensional) grid.
__device__ inline int64_t grid_thread() { return int64_t{blockIdx.x} * blockDim.x + threadIdx.x; }
__device__ inline int64_t grid_threads() { return int64_t{gridDim.x} * blockDim.x; }

template <class F>
__global__ void each_index(F f, int64_t n) {
  for (int64_t i = grid_thread(); i < n; i += grid_threads()) f(i);
}

/// f(i) for each i in [0, n), in no order. F is a small struct of pointers and numbers with
/// `__device__ void operator()(int64_t i) const`.
template <class F>
void launch_each(const char* name, int64_t n, F f) {
  constexpr int kBlock = 256;
  launch(name, each_index<F>, grid_for(n, kBlock), kBlock, 0, f, n);
}

/// Where kernels leave the first index that is out of range. A kernel cannot throw: the host does when it
/// next waits for the device.
struct IndexError {
  int set;
  const char* who;
  int64_t index, size;
};

/// In a kernel: check(index, size) is true iff 0 ≤ index < size. If false, skip the item: the host will throw
/// InputError, naming `who` (memory of the host, with static storage).
struct IndexCheck {
  IndexError* error;
  const char* who;
  __device__ bool operator()(int64_t index, int64_t size) const {
    if (index >= 0 && index < size) return true;
    if (atomicCAS(&error->set, 0, 1) == 0) {
      error->who = who;
      error->index = index;
      error->size = size;
    }
    return false;
  }
};
IndexCheck index_check(const char* who);

}  // namespace fade

#include "engine/cuda/reduce.h"
