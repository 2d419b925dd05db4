// Random numbers as a function of (key, position): the Philox 4x32-10 generator of Salmon et al., "Parallel
// Random Numbers: As Easy as 1, 2, 3" (SC 2011). Every device computes the same numbers, in any order, and
// the random state of a run is two integers.
#pragma once

#include <array>
#include <cstdint>

#include "engine/host_device.h"

namespace fade {

/// A stream of random numbers: those of philox(key, position), position 0, 1, ...
struct RngKey {
  uint64_t seed = 0;    ///< of a run: Philox's key
  uint64_t stream = 0;  ///< of one tensor or one random operation: the upper half of Philox's counter
};

/// One draw of Philox.
struct Philox4 {
  uint32_t v[4];  ///< independent words of 32 random bits
};

/// A product of 64 bits, in halves.
struct WideProduct {
  uint32_t high;  ///< bits 32 to 63
  uint32_t low;   ///< bits 0 to 31
};

/// a·b. On a GPU, the two halves asked for apart are one instruction; the upper half of a product in uint64_t
/// costs nvcc another one, which adds a 0.
FADE_HD inline WideProduct wide_product(uint32_t a, uint32_t b) {
#ifdef __CUDA_ARCH__
  return {__umulhi(a, b), a * b};
#else
  const uint64_t product = uint64_t{a} * b;
  return {static_cast<uint32_t>(product >> 32), static_cast<uint32_t>(product)};
#endif
}

/// The four 32-bit words at `position` of a stream (ten rounds).
FADE_HD inline Philox4 philox(RngKey key, uint64_t position) {
  uint32_t c0 = static_cast<uint32_t>(position), c1 = static_cast<uint32_t>(position >> 32);
  uint32_t c2 = static_cast<uint32_t>(key.stream), c3 = static_cast<uint32_t>(key.stream >> 32);
  uint32_t k0 = static_cast<uint32_t>(key.seed), k1 = static_cast<uint32_t>(key.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const WideProduct p0 = wide_product(0xD2511F53u, c0), p1 = wide_product(0xCD9E8D57u, c2);
    c0 = p1.high ^ c1 ^ k0;
    c2 = p0.high ^ c3 ^ k1;
    c1 = p1.low;
    c3 = p0.low;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

/// Number i of a stream, uniform in [0, 1), a multiple of 2^-24 (exact in f32).
FADE_HD inline float uniform(RngKey key, uint64_t i) {
  return static_cast<float>(philox(key, i / 4).v[i % 4] >> 8) * 0x1p-24f;
}

/// Number i of a stream, uniform in [0, 1), a multiple of 2^-53.
FADE_HD inline double uniform_f64(RngKey key, uint64_t i) {
  const Philox4 r = philox(key, i);
  return static_cast<double>((uint64_t{r.v[0]} << 32 | r.v[1]) >> 11) * 0x1p-53;
}

/// Hands out streams: each random operation of a run takes the next stream.
class Generator {
 public:
  /// Begins with stream 0 of `seed`.
  explicit Generator(uint64_t seed = 1) : key_{seed, 0} {}
  RngKey next() { return {key_.seed, key_.stream++}; }  ///< the next stream
  RngKey state() const { return key_; }         ///< the seed, and the stream that next() will hand out
  void restore(RngKey state) { key_ = state; }  ///< goes on from a state()

 private:
  RngKey key_;
};

}  // namespace fade
