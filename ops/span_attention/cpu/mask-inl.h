// The mask (F1) and dropout (F5) of a tile. Included once per instruction set.
#if defined(FADE_SPAN_ATTENTION_CPU_MASK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FADE_SPAN_ATTENTION_CPU_MASK_INL_H_
#undef FADE_SPAN_ATTENTION_CPU_MASK_INL_H_
#else
#define FADE_SPAN_ATTENTION_CPU_MASK_INL_H_
#endif

#include <hwy/highway.h>

#include <cstring>
#include <limits>

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

/// The tile's words of AttentionArrays::kept: bit i of kept[j] is that of row j and the tile's query i.
template <class T>
void load_kept(const AttentionArrays<T>& x, Head at, const RowTile<T>& tile, int64_t first_query,
               uint64_t* kept) {
  static_assert(kTile == 64);
  const int64_t words = query_words(x.sizes.block), word = first_query / 32;
  for (int64_t j = 0; j < tile.count; ++j) {
    const int32_t* of_row = x.kept + (tile.row[j] * x.sizes.heads + at.head) * words + word;
    kept[j] = static_cast<uint32_t>(of_row[0]);
    if (word + 1 < words) kept[j] |= uint64_t{static_cast<uint32_t>(of_row[1])} << 32;
  }
}

/// v where the bits of `kept` from `first` on are set, 0 elsewhere.
template <class D>
HWY_INLINE hn::Vec<D> where_kept(D d, uint64_t kept, int64_t first, hn::Vec<D> v) {
  const uint64_t bits = kept >> first;
  uint8_t bytes[sizeof bits];
  std::memcpy(bytes, &bits, sizeof bits);
  return hn::IfThenElseZero(hn::LoadMaskBits(d, bytes), v);
}

}  // namespace fade::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
