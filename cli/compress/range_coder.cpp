#include "cli/compress/range_coder.h"

#include <algorithm>
#include <cmath>

#include "engine/error.h"

namespace fade {

constexpr uint32_t kTotal = uint32_t{1} << kFrequencyBits;
// The first byte of an interval narrower than this is known, and output.
constexpr uint64_t kNarrowest = uint64_t{1} << 56;

void quantise(std::span<const double> logits, std::span<uint32_t> table) {
  for (const double x : logits)
    if (!std::isfinite(x)) fail("the model's prediction holds {} (a damaged or diverged model)", x);
  const auto likeliest = std::ranges::max_element(logits);
  double sum = 0;
  for (const double x : logits) sum += std::exp(x - *likeliest);
  const double share = static_cast<double>(kTotal - logits.size()) / sum;
  uint32_t used = 0;
  for (size_t s = 0; s < logits.size(); ++s) {
    const auto count = 1 + static_cast<uint32_t>(std::exp(logits[s] - *likeliest) * share);
    table[s + 1] = count;
    used += count;
  }
  table[0] = 0;
  table[static_cast<size_t>(likeliest - logits.begin()) + 1] += kTotal - used;
  for (size_t s = 0; s < logits.size(); ++s) table[s + 1] += table[s];
}

void RangeEncoder::add_to_low(uint64_t x) {
  low_ += x;
  if (low_ >= x) return;
  // A carry. It ends at the first byte at the latest, because the number is below 1.
  for (size_t i = bytes_.size(); i-- > 0;)
    if (++bytes_[i] != 0) return;
}

void RangeEncoder::put(std::span<const uint32_t> table, int symbol) {
  const uint64_t unit = range_ >> kFrequencyBits;
  const auto s = static_cast<size_t>(symbol);
  add_to_low(unit * table[s]);
  range_ = unit * (table[s + 1] - table[s]);
  while (range_ < kNarrowest) {
    bytes_.push_back(static_cast<uint8_t>(low_ >> 56));
    low_ <<= 8;
    range_ <<= 8;
  }
}

std::vector<uint8_t> RangeEncoder::finish() {
  add_to_low(kNarrowest - 1);  // the interval holds a number whose other bytes are all zero
  bytes_.push_back(static_cast<uint8_t>(low_ >> 56));
  return std::move(bytes_);
}

RangeDecoder::RangeDecoder(std::span<const uint8_t> bytes) : left_(bytes) {
  for (int i = 0; i < 8; ++i) code_ = code_ << 8 | next();
}

uint64_t RangeDecoder::next() {
  if (left_.empty()) {
    overrun_ += overrun_ <= kLookAhead;
    return 0;
  }
  const uint8_t byte = left_.front();
  left_ = left_.subspan(1);
  return byte;
}

int RangeDecoder::take(std::span<const uint32_t> table) {
  const uint64_t unit = range_ >> kFrequencyBits;
  const uint64_t at = std::min<uint64_t>(code_ / unit, kTotal - 1);
  const auto s = static_cast<size_t>(std::ranges::upper_bound(table, at) - table.begin()) - 1;
  code_ -= unit * table[s];
  range_ = unit * (table[s + 1] - table[s]);
  while (range_ < kNarrowest) {
    code_ = code_ << 8 | next();
    range_ <<= 8;
  }
  return static_cast<int>(s);
}

}  // namespace fade
