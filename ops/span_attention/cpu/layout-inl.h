// The visible rows gathered into tiles, copies between a layer's arrays and a tile's buffers, and the scores
// (F2), with which both directions begin. Included once per instruction set.
#if defined(FADE_SPAN_ATTENTION_CPU_LAYOUT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FADE_SPAN_ATTENTION_CPU_LAYOUT_INL_H_
#undef FADE_SPAN_ATTENTION_CPU_LAYOUT_INL_H_
#else
#define FADE_SPAN_ATTENTION_CPU_LAYOUT_INL_H_
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>

#include "engine/simd-inl.h"
#include "ops/matmul/product-inl.h"
#include "ops/span_attention/cpu/scratch.h"

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class T>
T score_scale(const AttentionArrays<T>& x) {
  return static_cast<T>(1 / std::sqrt(static_cast<double>(x.head_size)));
}

/// ε of F6: keeps the denominator of a soft mask from 0.
template <class T>
T epsilon(const AttentionArrays<T>& x) {
  return static_cast<T>(x.sizes.epsilon());
}

/// Where the lse of the first query is in an array [B, K, M].
template <class T>
int64_t lse_offset(const AttentionArrays<T>& x, Head at, QueryTile queries) {
  return (at.stream * x.sizes.heads + at.head) * x.sizes.block + queries.first;
}

/// Where the first query's features of head `at` are in q, out and their gradients.
template <class T>
int64_t query_offset(const AttentionArrays<T>& x, Head at, QueryTile queries) {
  return (at.stream * x.sizes.block + queries.first) * x.hidden() + at.head * x.head_size;
}

/// Where the row's key is in kv and dkv; its value is hidden() further.
template <class T>
int64_t key_offset(const AttentionArrays<T>& x, Head at, int64_t row) {
  return row * 2 * x.hidden() + at.head * x.head_size;
}

/// Requests the key and value of the row that the next tile may have in place of row j of this one: the D
/// numbers of a head are strided by a whole row of kv, which no hardware prefetcher follows. Called between
/// the softmax of two rows, so that the loads overlap with it.
template <class T>
HWY_INLINE void prefetch_next(const AttentionArrays<T>& x, Head at, const RowTile<T>& tile, int64_t j) {
  if (tile.next < 0 || tile.next + j >= x.rows) return;
  constexpr int64_t kLine = 64 / sizeof(T);
  const T* key = x.kv + key_offset(x, at, tile.next + j);
  for (int64_t k = 0; k < x.head_size; k += kLine) {
    hwy::Prefetch(key + k);
    hwy::Prefetch(key + x.hidden() + k);
  }
}

/// Gathers the rows of the stream's context that the queries see into tiles: rows that need a mask into
/// masked tiles, fully visible rows into full tiles (the remainders share one masked tile if they fit). Calls
/// process_tile(RowTile) for each tile, and invisible(row) for each row that no query sees.
template <class T, class F, class G>
void for_each_tile(const AttentionArrays<T>& x, Head at, const MaskFormula<T>& mask, QueryTile queries,
                   F&& process_tile, G&& invisible) {
  RowTile<T> full, masked;
  full.full = true;
  const auto scan = [&](int64_t begin, int64_t end, int64_t after) {
    for (int64_t j = begin; j < end; ++j) {
      const int32_t age = x.age[j];
      const T span = mask.span_of(j, at.head);
      const Visibility visibility = mask.visibility(age, span, queries.range());
      if (visibility == Visibility::none) {
        invisible(j);
        continue;
      }
      RowTile<T>& tile = visibility == Visibility::full ? full : masked;
      tile.add(j, age, span);
      if (tile.count < kTile) continue;
      tile.next = j + 1 < end ? j + 1 : after;
      process_tile(tile);
      tile.count = 0;
    }
  };
  const SpanAttentionSizes& s = x.sizes;
  const int64_t block = s.memory_rows + at.stream * s.block;
  scan(x.start[at.stream], x.start[at.stream + 1], block);
  scan(block, block + s.block, -1);

  full.next = masked.next = -1;
  if (full.count + masked.count <= kTile) {  // the remainders fit into one tile
    for (int64_t j = 0; j < full.count; ++j) masked.add(full.row[j], full.age[j], full.span[j]);
    full.count = 0;
  }
  if (full.count > 0) process_tile(full);
  if (masked.count > 0) process_tile(masked);
}

/// to [rows, size], rows `to_stride` apart, = factor·from, rows `from_stride` apart.
template <class T>
void copy_rows(const T* HWY_RESTRICT from, int64_t from_stride, int64_t rows, int64_t size,
               T* HWY_RESTRICT to, int64_t to_stride, T factor = 1) {
  for (int64_t j = 0; j < rows; ++j)
    for (int64_t d = 0; d < size; ++d) to[j * to_stride + d] = factor * from[j * from_stride + d];
}

/// The tile's rows of a [B·M, H] array: rows [kTile, padded_head], zeros where it has no query or feature,
/// and columns_t [padded_head, kTile], their transpose.
template <class T>
void load_queries(const AttentionArrays<T>& x, QueryTile queries, const T* from, T factor, T* rows,
                  T* columns_t) {
  const int64_t padded = padded_head(x.head_size);
  if (queries.count < kTile || padded != x.head_size) std::fill(rows, rows + kTile * padded, T{0});
  copy_rows(from, x.hidden(), queries.count, x.head_size, rows, padded, factor);
  transpose(rows, padded, kTile, padded, columns_t, kTile);
}

/// The reverse: the tile's rows of `to` = columns_tᵀ·factor, through the buffer `rows`.
template <class T>
void store_queries(const AttentionArrays<T>& x, QueryTile queries, const T* columns_t, T factor, T* rows,
                   T* to) {
  const int64_t padded = padded_head(x.head_size);
  transpose(columns_t, kTile, padded, kTile, rows, padded);
  copy_rows(rows, padded, queries.count, x.head_size, to, x.hidden(), factor);
}

/// The row of this age in an array with one row per age, which holds query i's score for the distance age + i
/// in column i; nullptr if no query of the tile is 1..last_position away.
template <class T>
T* row_of_age(const AttentionArrays<T>& x, T* by_age, QueryTile queries, int32_t age) {
  const int64_t row = int64_t{age} + queries.first + kTile - 2;
  return row >= 0 && row < ages_with_position(x.last_position()) ? by_age + row * kTile : nullptr;
}

/// Calls f(element of an array by age, the element of an array by distance that it belongs to) for each query
/// and each distance that has a position row.
template <class T, class F>
void for_each_distance(const AttentionArrays<T>& x, QueryTile queries, F&& f) {
  for (int64_t row = 0; row < ages_with_position(x.last_own_position()); ++row) {
    const int64_t shift = row - (kTile - 1);  // distance − 1 of query 0
    const int64_t begin = std::max<int64_t>(0, -shift),
                  end = std::min(queries.count, x.last_own_position() - shift);
    for (int64_t i = begin; i < end; ++i) f(row * kTile + i, (shift + i) * kTile + i);
  }
  if (x.sizes.slots.count == 0) return;
  for (int64_t at = x.last_own_position() + x.sizes.block; at < x.last_position(); ++at) {  // distance − 1
    const int64_t position = x.sizes.position_row(at + 1);
    for (int64_t i = 0; i < queries.count; ++i) f((at - i + kTile - 1) * kTile + i, position * kTile + i);
  }
}

/// by_age: q_i·pos[the row of δ], zeros where δ has none.
template <class T>
void position_scores(const AttentionArrays<T>& x, QueryTile queries, const T* q_t, T* by_distance,
                     T* by_age) {
  if (x.positions == 0) return;
  product<Into::overwrite, T>(x.positions, queries.count, x.head_size, {x.pos, x.head_size, 1}, {q_t, kTile},
                              {by_distance, kTile});
  std::fill(by_age, by_age + ages_with_position(x.last_position()) * kTile, T{0});
  for_each_distance(x, queries, [&](int64_t age, int64_t distance) { by_age[age] = by_distance[distance]; });
}

/// F2: scores_t [tile.count, kTile] = keys·qᵀ + position scores; q_t is scaled by 1/√D already.
template <class T>
void tile_scores(const AttentionArrays<T>& x, const RowTile<T>& tile, QueryTile queries, const T* q_t,
                 const T* keys, T* by_age, T* scores_t) {
  bool near = false;
  for (int64_t j = 0; j < tile.count; ++j) near |= row_of_age(x, by_age, queries, tile.age[j]) != nullptr;
  const StridedMatrix<T> k{keys, x.head_size, 1};
  if (!near) {
    product<Into::overwrite, T>(tile.count, queries.count, x.head_size, k, {q_t, kTile}, {scores_t, kTile});
    return;
  }
  for (int64_t j = 0; j < tile.count; ++j) {
    if (const T* row = row_of_age(x, by_age, queries, tile.age[j]))
      std::copy(row, row + kTile, scores_t + j * kTile);
    else
      std::fill(scores_t + j * kTile, scores_t + (j + 1) * kTile, T{0});
  }
  product<Into::add, T>(tile.count, queries.count, x.head_size, k, {q_t, kTile}, {scores_t, kTile});
}

/// Copies the tile's keys and values to consecutive rows.
template <class T>
void load_rows(const AttentionArrays<T>& x, Head at, const RowTile<T>& tile, T* HWY_RESTRICT keys,
               T* HWY_RESTRICT values) {
  for (int64_t j = 0; j < tile.count; ++j) {
    const T* HWY_RESTRICT from = x.kv + key_offset(x, at, tile.row[j]);
    for (int64_t d = 0; d < x.head_size; ++d) {
      keys[j * x.head_size + d] = from[d];
      values[j * x.head_size + d] = from[x.hidden() + d];
    }
  }
}

}  // namespace fade::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
