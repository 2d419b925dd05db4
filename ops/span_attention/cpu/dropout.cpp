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
  const KeepRule rule(s.dropout.p);
  const auto mask = mask_formula<float>(s, nullptr);
  parallel_rows(age.numel(), s.heads * words * 32, [&](int64_t row) {
    const int64_t stream = s.stream_of(starts, row);
    for (int64_t head = 0; head < s.heads; ++head) {
      int32_t* of_head = to + (row * s.heads + head) * words;
      const uint64_t first =
          (s.dropout.first + dropout_index(stream, s.heads, head, s.block, ages[row], 0)) / 8;
      const auto in_reach = [&](int64_t w) {
        return word_in_reach(mask, ages[row], static_cast<int32_t>(w));
      };
      for (int64_t w = 0; w < words; w += 2) {
        const bool low = in_reach(w), high = w + 1 < words && in_reach(w + 1);
        const uint64_t bits = low || high ? draw_64(s.dropout.key, first + 4 * w, rule.threshold) : 0;
        of_head[w] = low ? static_cast<int32_t>(bits) : 0;
        if (w + 1 < words) of_head[w + 1] = high ? static_cast<int32_t>(bits >> 32) : 0;
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
