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

/// to[i] = f(i, distance of query i from the tile's row j): a loop over scalars that the compiler vectorises,
/// so that the mask's formula is written once, in mask.h.
template <class T, class F>
HWY_INLINE void for_queries(const RowTile<T>& tile, int64_t j, int64_t first_query, T* HWY_RESTRICT to,
                            const F& f) {
  const int32_t distance = tile.age[j] + static_cast<int32_t>(first_query);
#pragma omp simd
  for (int32_t i = 0; i < kTile; ++i) to[i] = f(i, static_cast<T>(distance + i));
}

/// m of the tile's row j for each query.
template <class T>
HWY_INLINE void mask_values(const MaskFormula<T>& mask, const RowTile<T>& tile, int64_t j,
                            int64_t first_query, T* to) {
  for_queries(tile, j, first_query, to,
              [&mask, span = tile.span[j]](int32_t, T distance) { return mask.value(span, distance); });
}

/// R·dm/de, likewise.
template <class T>
HWY_INLINE void mask_slopes(const MaskFormula<T>& mask, const RowTile<T>& tile, int64_t j,
                            int64_t first_query, T* to) {
  for_queries(tile, j, first_query, to,
              [&mask, span = tile.span[j]](int32_t, T distance) { return mask.slope(span, distance); });
}

/// scores [kTile] of the tile's row j: −∞ for the queries that do not see it.
template <class T>
HWY_INLINE void hide_scores(const MaskFormula<T>& mask, const RowTile<T>& tile, int64_t j,
                            int64_t first_query, T* scores) {
  for_queries(
      tile, j, first_query, scores,
      [&mask, scores, span = tile.span[j], reach = mask.distances(tile.age[j])](int32_t i, T distance) {
        return mask.visible(reach, span, distance) ? scores[i] : -std::numeric_limits<T>::infinity();
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
