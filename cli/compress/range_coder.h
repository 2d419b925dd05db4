// Arithmetic coding: a text as one number in [0, 1), narrowed symbol by symbol to an interval as wide as the
// product of the symbols' probabilities, so that it takes Σ −log2 p bits (Martin 1979's range coder, 64 bits
// wide, with carries).
//
// A symbol's probability is an integer out of 2^30. Tables are cumulative: symbol s of V has the integers
// [table[s], table[s + 1]), table[0] = 0 and table[V] = 2^30.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace fade {

inline constexpr int kFrequencyBits = 30;

/// Writes the table of softmax(logits): every symbol gets one integer, so that all can be coded, and the rest
/// are shared out by probability, roundings to the likeliest. `table` holds one number more than `logits`.
/// What the one integer costs is below 256/2^30/ln 2 = 4e-7 bits a symbol. Throws Error when a logit is not
/// finite.
void quantise(std::span<const double> logits, std::span<uint32_t> table);

class RangeEncoder {
 public:
  /// Appends a symbol.
  void put(std::span<const uint32_t> table, int symbol);

  /// Ends the text and hands out its bytes: at most one more than Σ −log2 p / 8, rounded up.
  std::vector<uint8_t> finish();

 private:
  void add_to_low(uint64_t x);

  std::vector<uint8_t> bytes_;
  uint64_t low_ = 0, range_ = ~uint64_t{0};  ///< the interval, in units of the last byte's 2^-64
};

class RangeDecoder {
 public:
  /// `bytes`, not copied, are what RangeEncoder::finish gave.
  explicit RangeDecoder(std::span<const uint8_t> bytes);

  /// The next symbol; `table` must be the one it was put with. Of other bytes than an encoder's, some symbol.
  int take(std::span<const uint32_t> table);

  /// True when more was taken than the bytes can hold: they are cut short, or of something else.
  bool overrun() const { return overrun_ > kLookAhead; }

 private:
  uint64_t next();

  static constexpr int kLookAhead = 7;  ///< bytes that a decoder reads beyond the encoder's last
  std::span<const uint8_t> left_;
  int overrun_ = 0;
  uint64_t code_ = 0, range_ = ~uint64_t{0};  ///< the number, from the interval's low end
};

}  // namespace fade
