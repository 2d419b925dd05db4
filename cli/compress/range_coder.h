// Arithmetic coding: a text as one number in [0, 1). Each symbol narrows an interval by its probability, so
// that the final interval, from which the number is taken, needs Σ −log2 p bits (Martin 1979's range coder,
// 64 bits wide, with carries).
//
// A symbol's probability is an integer out of 2^30. Tables are cumulative: symbol s of V has the integers
// [table[s], table[s + 1]), table[0] = 0 and table[V] = 2^30.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace fade {

inline constexpr int kFrequencyBits = 30;

/// Writes the table of softmax(logits): every symbol gets one integer, so that all can be coded; the rest
/// are distributed by probability, and what rounding leaves goes to the likeliest. `table` has one
/// element more than `logits`. The one integer costs less than 256/2^30/ln 2 = 4e-7 bits per symbol.
/// Throws Error when a logit is not finite.
void quantise(std::span<const double> logits, std::span<uint32_t> table);

class RangeEncoder {
 public:
  /// Appends a symbol.
  void put(std::span<const uint32_t> table, int symbol);

  /// Ends the text and returns its bytes: at most one more than Σ −log2 p / 8, rounded up.
  std::vector<uint8_t> finish();

 private:
  void add_to_low(uint64_t x);

  std::vector<uint8_t> bytes_;
  uint64_t low_ = 0, range_ = ~uint64_t{0};  ///< the interval, in units of the last byte's 2^-64
};

class RangeDecoder {
 public:
  /// `bytes`, which are not copied, come from RangeEncoder::finish.
  explicit RangeDecoder(std::span<const uint8_t> bytes);

  /// The next symbol; `table` must be the one that it was encoded with. Bytes that no encoder
  /// wrote yield some symbol.
  int take(std::span<const uint32_t> table);

  /// True when more was decoded than the bytes can hold: they are cut short, or something else.
  bool overrun() const { return overrun_ > kLookAhead; }

 private:
  uint64_t next();

  static constexpr int kLookAhead = 7;  ///< bytes that a decoder reads beyond the encoder's last
  std::span<const uint8_t> left_;
  int overrun_ = 0;
  uint64_t code_ = 0, range_ = ~uint64_t{0};  ///< the number, counted from the low end of the interval
};

}  // namespace fade
