// What a thread of a kernel can use: its indices, barriers, and the exchange of values within a warp.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "engine/cuda/emulate/types.h"

namespace fade::emulate {

/// A line of a kernel. (As std::source_location, which clang 14 lacks.)
struct Site {
  const char* file = "";
  int line = 0;
  static constexpr Site current(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
};

/// The thread that is running on this thread of the operating system.
struct Here {
  const char* kernel = nullptr;  ///< its name; nullptr while no kernel runs
  uint3 thread{}, block{};
  dim3 threads{}, blocks{};
  int lane = 0;  ///< within its warp
};
extern constinit thread_local Here here;

/// Returns once all threads of the thread block have arrived: the number of them that passed true.
int block_barrier(bool value, const char* what, Site site);

/// Returns once all lanes of `mask` have arrived: the value that each passed, by lane.
const uint64_t* warp_exchange(uint32_t mask, uint64_t value, const char* what, Site site);

/// Throws when lane `from` does not take part.
void check_source(uint32_t mask, int from, const char* what, Site site);

template <class T>
T shuffle(uint32_t mask, T value, int from, const char* what, Site site) {
  static_assert(sizeof(T) <= 8);
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  const uint64_t* brought = warp_exchange(mask, bits, what, site);
  check_source(mask, from, what, site);
  std::memcpy(&value, brought + from, sizeof value);
  return value;
}

inline uint32_t ballot(uint32_t mask, bool value, const char* what, Site site) {
  const uint64_t* brought = warp_exchange(mask, value, what, site);
  uint32_t bits = 0;
  for (uint32_t left = mask; left; left &= left - 1) {
    const int lane = std::countr_zero(left);
    bits |= static_cast<uint32_t>(brought[lane]) << lane;
  }
  return bits;
}

}  // namespace fade::emulate

// NOLINTBEGIN: the names are CUDA's
#define threadIdx (::fade::emulate::here.thread)
#define blockIdx (::fade::emulate::here.block)
#define blockDim (::fade::emulate::here.threads)
#define gridDim (::fade::emulate::here.blocks)

#define FADE_SITE ::fade::emulate::Site site = ::fade::emulate::Site::current()

inline void __syncthreads(FADE_SITE) { fade::emulate::block_barrier(false, "__syncthreads", site); }
inline int __syncthreads_count(int value, FADE_SITE) {
  return fade::emulate::block_barrier(value != 0, "__syncthreads_count", site);
}
inline int __syncthreads_or(int value, FADE_SITE) {
  return fade::emulate::block_barrier(value != 0, "__syncthreads_or", site) != 0;
}
inline int __syncthreads_and(int value, FADE_SITE) {
  return fade::emulate::block_barrier(value == 0, "__syncthreads_and", site) == 0;
}
inline void __syncwarp(unsigned mask = ~0u, FADE_SITE) {
  fade::emulate::warp_exchange(mask, 0, "__syncwarp", site);
}

// As CUDA defines it: the value of lane `from` in the caller's group of `width` lanes.
template <class T>
T __shfl_sync(unsigned mask, T value, int from, int width = 32, FADE_SITE) {
  const int lane = fade::emulate::here.lane, first = lane & ~(width - 1);
  return fade::emulate::shuffle(mask, value, first + (from & (width - 1)), "__shfl_sync", site);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned distance, int width = 32, FADE_SITE) {
  const int lane = fade::emulate::here.lane, from = lane - static_cast<int>(distance);
  return fade::emulate::shuffle(mask, value, from < (lane & ~(width - 1)) ? lane : from, "__shfl_up_sync",
                                site);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned distance, int width = 32, FADE_SITE) {
  const int lane = fade::emulate::here.lane, from = lane + static_cast<int>(distance);
  return fade::emulate::shuffle(mask, value, from > (lane | (width - 1)) ? lane : from, "__shfl_down_sync",
                                site);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int distance, int width = 32, FADE_SITE) {
  const int lane = fade::emulate::here.lane, from = lane ^ distance;
  return fade::emulate::shuffle(mask, value, from > (lane | (width - 1)) ? lane : from, "__shfl_xor_sync",
                                site);
}

inline unsigned __ballot_sync(unsigned mask, int value, FADE_SITE) {
  return fade::emulate::ballot(mask, value != 0, "__ballot_sync", site);
}
inline int __any_sync(unsigned mask, int value, FADE_SITE) {
  return fade::emulate::ballot(mask, value != 0, "__any_sync", site) != 0;
}
inline int __all_sync(unsigned mask, int value, FADE_SITE) {
  return fade::emulate::ballot(mask, value == 0, "__all_sync", site) == 0;
}
#undef FADE_SITE

inline int __popc(unsigned x) { return std::popcount(x); }
// NOLINTEND
