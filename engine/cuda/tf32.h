// TF32: f32 with 10 bits behind the leading one instead of 23. Tensor cores multiply such numbers and sum the
// products in f32.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "engine/host_device.h"

namespace fade {

/// The nearest TF32 number, of two equally near ones that farther from 0. As cvt.rna.tf32.f32 (PTX ISA).
FADE_HD inline float to_tf32(float x) {
#ifdef __CUDA_ARCH__
  uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return __uint_as_float(bits);
#else
  if (!std::isfinite(x)) return x == x ? x : std::numeric_limits<float>::quiet_NaN();
  constexpr uint32_t kCut = 13;
  const uint32_t half = 1u << (kCut - 1);
  return std::bit_cast<float>((std::bit_cast<uint32_t>(x) + half) >> kCut << kCut);
#endif
}

}  // namespace fade
