// bf16: the upper half of an f32, so its range with 7 bits behind the leading one instead of 23. A type to
// store numbers in; kernels compute in f32.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#include "engine/host_device.h"

namespace fade {

/// A number in bf16. Becomes a float without loss wherever one is needed; a float becomes a bf16 where that
/// type is written.
struct bf16 {
  uint16_t bits;  ///< sign, 8 bits of exponent, 7 of fraction

  bf16() = default;  ///< undefined
  /// The nearest bf16, of two equally near ones the even one (IEEE 754). As cvt.rn.bf16.f32 (PTX ISA).
  FADE_HD explicit bf16(float x) : bits(rounded(x)) {}
  /// The same of any other number, rounded to f32 first.
  template <class Number>
  requires std::is_arithmetic_v<Number> FADE_HD explicit bf16(Number x) : bf16(static_cast<float>(x)) {}

  /// The same number.
  FADE_HD operator float() const {
#ifdef __CUDA_ARCH__
    return __uint_as_float(uint32_t{bits} << 16);
#else
    return std::bit_cast<float>(uint32_t{bits} << 16);
#endif
  }

 private:
  FADE_HD static uint16_t rounded(float x) {
#ifdef __CUDA_ARCH__
    uint16_t nearest;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(nearest) : "f"(x));
    return nearest;
#else
    if (x != x) return 0x7fff;  // NaN
    const auto of_x = std::bit_cast<uint32_t>(x);
    return static_cast<uint16_t>((of_x + 0x7fff + (of_x >> 16 & 1)) >> 16);
#endif
  }
};

/// The type in which kernels compute with numbers that are stored as T: float for bf16, T for others.
template <class T>
using compute_t = std::conditional_t<std::is_same_v<T, bf16>, float, T>;

}  // namespace fade
