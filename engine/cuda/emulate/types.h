// CUDA's words and small types, for g++.
#pragma once

// NOLINTBEGIN(bugprone-reserved-identifier): CUDA's words, not ours
#define __global__
#define __device__
#define __host__
#define __launch_bounds__(...)

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
struct uint3 {
  unsigned x, y, z;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(16) double2 {
  double x, y;
};
struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
// NOLINTEND
