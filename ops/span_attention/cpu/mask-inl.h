// The mask (F1) and dropout (F5) of a tile. Included once per instruction set.
#if defined(FADE_SPAN_ATTENTION_CPU_MASK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FADE_SPAN_ATTENTION_CPU_MASK_INL_H_
#undef FADE_SPAN_ATTENTION_CPU_MASK_INL_H_
#else
#define FADE_SPAN_ATTENTION_CPU_MASK_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "ops/span_attention/cpu/arrays.h"

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// What the queries of a tile see of its rows; nothing of the rows of a full tile.
template <class T>
struct TileMask {
  int32_t age[kTile];
  T span[kTile];
  uint64_t visible[kTile];  ///< bit i of row j: whether the tile's query i sees row j
  bool fades[kTile];        ///< whether a query that sees row j sees less than all of it
  bool any_fades = false;

  TileMask(const AttentionArrays<T>& x, Head at, const MaskFormula<T>& mask, const RowTile& tile,
           QueryTile queries) {
    static_assert(kTile == 64);
    if (tile.full) return;
    const QueryRange range = queries.range();
    for (int64_t j = 0; j < tile.count; ++j) {
      age[j] = x.age[tile.row[j]];
      span[j] = mask.span_of(tile.row[j], at.head);
      const QueryRange seen = mask.visible_queries(age[j], span[j], range);
      const bool none = seen.last < seen.first;
      visible[j] = none ? 0 : ~uint64_t{0} >> (63 - (seen.last - seen.first)) << (seen.first - range.first);
      fades[j] = !none && mask.full_queries(age[j], span[j], range).last != seen.last;
      any_fades |= fades[j];
    }
  }
};

/// to[i] = f(span, distance) of row j and query i: a loop over scalars that the compiler vectorises, so that the mask's
/// formula is written once, in mask.h.
template <class T, class F>
HWY_INLINE void for_queries(const TileMask<T>& view, int64_t j, QueryTile queries, T* HWY_RESTRICT to,
                            const F& f) {
  const int32_t distance = view.age[j] + static_cast<int32_t>(queries.first);
  const T span = view.span[j];
#pragma omp simd
  for (int32_t i = 0; i < queries.whole_steps(); ++i) to[i] = f(span, static_cast<T>(distance + i));
}

/// m of row j for each query that sees it.
template <class T>
HWY_INLINE void mask_values(const MaskFormula<T>& mask, const TileMask<T>& view, int64_t j, QueryTile queries,
                            T* to) {
  if (view.fades[j])
    for_queries(view, j, queries, to,
                [&mask](T span, T distance) HWY_ATTR { return mask.value(span, distance); });
  else
    std::fill(to, to + queries.whole_steps(), T{1});
}

/// R·dm/de of row j, which fades, for each query that sees it.
template <class T>
HWY_INLINE void mask_slopes(const MaskFormula<T>& mask, const TileMask<T>& view, int64_t j, QueryTile queries,
                            T* to) {
  for_queries(view, j, queries, to,
              [&mask](T span, T distance) HWY_ATTR { return mask.slope(span, distance); });
}

/// The lanes of `bits` from number `first` on.
template <class D>
HWY_INLINE hn::Mask<D> lanes_of(D d, uint64_t bits, int64_t first) {
  bits >>= first;
  uint8_t bytes[sizeof bits];
  std::memcpy(bytes, &bits, sizeof bits);
  return hn::LoadMaskBits(d, bytes);
}

/// scores_t: −∞ for the queries that do not see a row.
template <class T>
void hide_scores(const RowTile& tile, const TileMask<T>& view, QueryTile queries, T* scores_t) {
  if (tile.full) return;
  const hn::ScalableTag<T> d;
  const auto hidden = hn::Set(d, -std::numeric_limits<T>::infinity());
  for (int64_t j = 0; j < tile.count; ++j) {
    if (~view.visible[j] == 0) continue;
    for (int64_t at = 0; at < queries.whole_steps(); at += hn::Lanes(d)) {
      T* score = scores_t + j * kTile + at;
      hn::Store(hn::IfThenElse(lanes_of(d, view.visible[j], at), hn::Load(d, score), hidden), d, score);
    }
  }
}

/// The tile's words of AttentionArrays::kept: bit i of kept[j] is that of row j and of query i of `queries`, those from
/// tile.unseen on of a tile.
template <class T>
void load_kept(const AttentionArrays<T>& x, Head at, const RowTile& tile, QueryTile queries, uint64_t* kept) {
  static_assert(kTile == 64);
  const int64_t words = query_words(x.sizes.block), word = (queries.first - tile.unseen) / 32;
  for (int64_t j = 0; j < tile.count; ++j) {
    const int32_t* of_row = x.kept + (tile.row[j] * x.sizes.heads + at.head) * words + word;
    kept[j] = static_cast<uint32_t>(of_row[0]);
    if (word + 1 < words) kept[j] |= uint64_t{static_cast<uint32_t>(of_row[1])} << 32;
    kept[j] >>= tile.unseen;
  }
}

}  // namespace fade::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
