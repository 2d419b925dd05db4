// CUDA's words and small types, for g++.
#pragma once

#include <cstdint>

// NOLINTBEGIN(bugprone-reserved-identifier): CUDA's words, not ours
#define __global__
#define __device__
#define __host__
#define __grid_constant__
#define __launch_bounds__(...)
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(n) alignas(n)

// A thread block stays on one thread of the operating system, so its static shared memory belongs to
// that thread. AddressSanitizer guards the ends of plain statics only; under it all thread blocks run
// on one thread.
#ifdef __SANITIZE_ADDRESS__
#define __shared__ static
#else
#define __shared__ static thread_local
#endif
// NOLINTEND(bugprone-reserved-identifier)

// NOLINTBEGIN: the names are CUDA's
#define FADE_VECTOR_TYPE(T, name, alignment1, alignment2, alignment4)   \
  struct alignas(alignment1) name##1 {                                  \
    T x;                                                                \
  };                                                                    \
  struct alignas(alignment2) name##2 {                                  \
    T x, y;                                                             \
  };                                                                    \
  struct alignas(alignment1) name##3 {                                  \
    T x, y, z;                                                          \
  };                                                                    \
  struct alignas(alignment4) name##4 {                                  \
    T x, y, z, w;                                                       \
  };                                                                    \
  constexpr name##1 make_##name##1(T x) { return {x}; }                 \
  constexpr name##2 make_##name##2(T x, T y) { return {x, y}; }         \
  constexpr name##3 make_##name##3(T x, T y, T z) { return {x, y, z}; } \
  constexpr name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }

FADE_VECTOR_TYPE(float, float, 4, 8, 16)
FADE_VECTOR_TYPE(double, double, 8, 16, 16)
FADE_VECTOR_TYPE(int32_t, int, 4, 8, 16)
FADE_VECTOR_TYPE(uint32_t, uint, 4, 8, 16)
FADE_VECTOR_TYPE(uint8_t, uchar, 1, 2, 4)
#undef FADE_VECTOR_TYPE

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
// NOLINTEND
