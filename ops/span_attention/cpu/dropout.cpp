// Draws which weights dropout keeps, one bit of each.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/span_attention/cpu/dropout.cpp"
#include <hwy/foreach_target.h>
// After foreach_target: included once per instruction set.
#include <hwy/highway.h>

#include "engine/rng-inl.h"
#include "engine/simd-inl.h"
#include "ops/dropout/keep_bits.h"
#include "ops/span_attention/span_attention_kernels.h"

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {
namespace {

/// Bit i: whether number i, counted from Philox counter `first` on, is kept.
HWY_INLINE uint64_t draw_64(RngKey key, uint64_t first, uint32_t threshold) {
  uint64_t kept = 0;
#if HWY_TARGET == HWY_SCALAR
  for (int i = 0; i < 8; ++i) kept |= uint64_t{keep_bits(key, first + i, threshold)} << (8 * i);
#else
  alignas(64) uint32_t words[32];  // two numbers in each
  philox_words(key, first, 8, words);
  const hn::CappedTag<uint16_t, 32> d;
  const hn::Repartition<uint32_t, decltype(d)> of_words;
  const auto least = hn::Set(d, static_cast<uint16_t>(threshold));
  for (size_t i = 0; i < 64; i += hn::Lanes(d)) {
    const auto number = hn::BitCast(d, hn::Load(of_words, words + i / 2));
    uint64_t bits = 0;
    hn::StoreMaskBits(d, hn::Eq(hn::Max(number, least), number), reinterpret_cast<uint8_t*>(&bits));
    kept |= bits << i;
  }
#endif
  return kept;
}

void draw(const Tensor& start, const Tensor& age, const SpanAttentionSizes& s, Out kept) {
  const int32_t *starts = start.data<int32_t>(), *ages = age.data<int32_t>();
  int32_t* to = kept.mutate<int32_t>();
  const int64_t words = query_words(s.block);
  const KeepRule rule(s.dropout);
  parallel_rows(age.numel(), s.heads * words * 32, [&](int64_t row) {
    const int64_t stream = s.stream_of(starts, row);
    for (int64_t head = 0; head < s.heads; ++head) {
      int32_t* of_head = to + (row * s.heads + head) * words;
      const uint64_t first = dropout_index(stream, s.heads, head, s.block, ages[row], 0) / 8;
      for (int64_t w = 0; w < words; w += 2) {
        const uint64_t bits = draw_64(s.key, first + 4 * w, rule.threshold);
        of_head[w] = static_cast<int32_t>(bits);
        if (w + 1 < words) of_head[w + 1] = static_cast<int32_t>(bits >> 32);
      }
    }
  });
}

}  // namespace
}  // namespace fade::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fade {

FADE_SIMD_KERNEL(span_attention_dropout, draw);

}  // namespace fade
#endif
