// Copies from global to shared memory that run while their thread computes (PTX ISA: cp.async). A kernel that
// works on one tile while the next one is on its way:
//
//   load(0), close_copies();                  // load: copy_async, of tile t into half t % 2
//   for (int t = 0; t < tiles; ++t) {
//     if (t + 1 < tiles) load(t + 1);
//     close_copies();
//     wait_for_copies<1>();                   // this thread's part of tile t is there,
//     __syncthreads();                        // and so are those of the others
//     compute(t);
//     __syncthreads();                        // before tile t + 2 replaces it
//   }
#pragma once

#include "engine/cuda/cuda.h"

namespace fade {

/// Starts a copy of 16 bytes; where `valid` is false it writes zeros and reads nothing. Both pointers are
/// 16-byte aligned. The source must not change, and nobody may touch the destination, before this thread has
/// waited for the copy.
__device__ inline void copy_async(void* shared, const void* global, bool valid,
                                  cuda_detail::Caller caller = cuda_detail::Caller::current()) {
  cuda_detail::copy_async(shared, global, valid, caller);
}

/// Makes a group, which may be empty, of this thread's copies since the last call.
__device__ inline void close_copies() { cuda_detail::close_copies(); }

/// Waits until all groups of this thread have arrived but the `under_way` closed last. Other threads see what
/// arrived after a barrier. A thread must have waited for all of its copies when it returns.
template <int under_way>
__device__ void wait_for_copies() {
  static_assert(under_way >= 0);
  cuda_detail::wait_for_copies<under_way>();
}

}  // namespace fade
