// The mask (F1) and dropout of a tile. Included once per instruction set.
#if defined(FADE_SPAN_ATTENTION_CPU_MASK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FADE_SPAN_ATTENTION_CPU_MASK_INL_H_
#undef FADE_SPAN_ATTENTION_CPU_MASK_INL_H_
#else
#define FADE_SPAN_ATTENTION_CPU_MASK_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <limits>

#include "engine/rng-inl.h"
#include "ops/span_attention/cpu/arrays.h"

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// to[i] = f(i) for the queries of a tile: a loop over scalars that the compiler vectorises, so that the
/// mask's formula is written once, in mask.h.
template <class T, class F>
HWY_INLINE void for_queries(T* HWY_RESTRICT to, const F& f) {
#pragma omp simd
  for (int32_t i = 0; i < kTile; ++i) to[i] = f(i);
}

/// m of the tile's row j for each query.
template <class T>
HWY_INLINE void mask_values(const MaskFormula<T>& mask, const RowTile<T>& tile, int64_t j,
                            int64_t first_query, T* to) {
  const T span = tile.span[j];
  const int32_t distance = tile.age[j] + static_cast<int32_t>(first_query);
  for_queries(to, [&](int32_t i) { return mask.value(span, static_cast<T>(distance + i)); });
}

/// R·dm/de, likewise.
template <class T>
HWY_INLINE void mask_slopes(const MaskFormula<T>& mask, const RowTile<T>& tile, int64_t j,
                            int64_t first_query, T* to) {
  const T span = tile.span[j];
  const int32_t distance = tile.age[j] + static_cast<int32_t>(first_query);
  for_queries(to, [&](int32_t i) { return mask.slope(span, static_cast<T>(distance + i)); });
}

/// scores [kTile] of the tile's row j: −∞ for the queries that do not see it.
template <class T>
HWY_INLINE void hide_scores(const MaskFormula<T>& mask, const RowTile<T>& tile, int64_t j,
                            int64_t first_query, T* scores) {
  const Distances reach = mask.distances(tile.age[j]);
  const T span = tile.span[j];
  const int32_t distance = tile.age[j] + static_cast<int32_t>(first_query);
  for_queries(scores, [&](int32_t i) {
    return mask.visible(reach, span, static_cast<T>(distance + i)) ? scores[i]
                                                                   : -std::numeric_limits<T>::infinity();
  });
}

/// factors [tile.count, kTile]: the dropout factors g, 0 or 1/(1 − p).
template <class T>
void draw_dropout(const SpanAttentionSizes& s, Head at, const RowTile<T>& tile, int64_t first_query,
                  T* factors) {
  alignas(64) uint32_t words[kTile];
  const double kept = 1 / (1 - s.dropout);
  for (int64_t j = 0; j < tile.count; ++j) {
    const uint64_t index = dropout_index(at.stream, s.heads, at.head, s.block, tile.age[j], first_query);
    philox_words(s.key, index / 4, kTile / 4, words);
    for (int64_t i = 0; i < kTile; ++i) {
      const float uniform = static_cast<float>(words[i] >> 8) * 0x1p-24f;
      factors[j * kTile + i] = uniform < s.dropout ? T{0} : static_cast<T>(kept);
    }
  }
}

}  // namespace fade::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
