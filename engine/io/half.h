// Numbers of 16 bits, as files hold them: weights that other programs saved.
#pragma once

#include <cmath>
#include <cstdint>

namespace fade {

/// The value of an IEEE 754 binary16 number: a sign, 5 bits of exponent e, 10 of fraction m.
inline float from_f16(uint16_t bits) {
  const int e = bits >> 10 & 31, m = bits & 1023;
  const float magnitude = e == 31  ? (m ? NAN : INFINITY)
                          : e == 0 ? std::ldexp(static_cast<float>(m), -24)
                                   : std::ldexp(static_cast<float>(1024 + m), e - 25);
  return bits >> 15 ? -magnitude : magnitude;
}

}  // namespace fade
