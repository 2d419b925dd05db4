// Copies between a layer's arrays and a tile's buffers, and the scores (F2), with which both directions begin.
// Included once per instruction set.
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

/// Requests the lines `first`, first + step, … of the key and the value of the row that the next tile may have in place
/// of row j of this one: the D numbers of a head are strided by a whole row of kv, which no hardware prefetcher
/// follows. Called between the exponentials, so that the loads overlap with them.
template <class T>
HWY_INLINE void prefetch_next(const AttentionArrays<T>& x, Head at, const RowTile& tile, int64_t j,
                              int64_t first, int64_t step) {
  if (tile.next < 0 || tile.next + j >= x.rows) return;
  constexpr int64_t kLine = 64 / sizeof(T);
  const T* key = x.kv + key_offset(x, at, tile.next + j);
  for (int64_t k = first * kLine; k < x.head_size; k += step * kLine) {
    hwy::Prefetch(key + k);
    hwy::Prefetch(key + x.hidden() + k);
  }
}

/// A [tile.count, D] matrix: columns of the tile's rows of kv or dkv.
template <class T>
struct GatheredRows {
  T* data;
  int64_t stride;
  const int64_t* number;

  HWY_INLINE T at(int64_t r, int64_t k) const { return data[number[r] * stride + k]; }
  HWY_INLINE T* row(int64_t r) const { return data + number[r] * stride; }
  HWY_INLINE int64_t next_block(int64_t /*rows*/) const { return 0; }
  HWY_INLINE void skip(int64_t rows, int64_t /*next_block*/ = 0) { number += rows; }
};

/// Its transpose, [D, tile.count].
template <class T>
struct GatheredColumns {
  T* data;
  int64_t stride;
  const int64_t* number;

  HWY_INLINE T at(int64_t r, int64_t k) const { return data[number[k] * stride + r]; }
  HWY_INLINE int64_t next_block(int64_t rows) const { return rows; }
  HWY_INLINE void skip(int64_t /*rows*/, int64_t next_block) { data += next_block; }
};

/// The tile's keys, and its values, in place: no product reads one of them more than once per tile of queries.
template <template <class> class Matrix, class T>
Matrix<const T> keys_of(const AttentionArrays<T>& x, Head at, const RowTile& tile) {
  return {x.kv + at.head * x.head_size, 2 * x.hidden(), tile.row};
}
template <template <class> class Matrix, class T>
Matrix<const T> values_of(const AttentionArrays<T>& x, Head at, const RowTile& tile) {
  return {x.kv + x.hidden() + at.head * x.head_size, 2 * x.hidden(), tile.row};
}

/// to [size] = from. Rows of a head are short: a call of memcpy for each would take as long as the copy.
template <class T>
HWY_INLINE void copy_row(const T* HWY_RESTRICT from, int64_t size, T* HWY_RESTRICT to) {
  for_each_vector<T>(size,
                     [&](auto d, int64_t k) HWY_ATTR { hn::StoreU(hn::LoadU(d, from + k), d, to + k); });
}

/// to [size] += from.
template <class T>
HWY_INLINE void add_row(const T* HWY_RESTRICT from, int64_t size, T* HWY_RESTRICT to) {
  for_each_vector<T>(size, [&](auto d, int64_t k) HWY_ATTR {
    hn::StoreU(hn::Add(hn::LoadU(d, to + k), hn::LoadU(d, from + k)), d, to + k);
  });
}

/// to [rows, size], rows `to_stride` apart, = factor·from, rows `from_stride` apart.
template <class T>
void scale_rows(const T* HWY_RESTRICT from, int64_t from_stride, int64_t rows, int64_t size,
                T* HWY_RESTRICT to, int64_t to_stride, T factor) {
  for (int64_t j = 0; j < rows; ++j)
    for_each_vector<T>(size, [&](auto d, int64_t k) HWY_ATTR {
      hn::StoreU(hn::Mul(hn::LoadU(d, from + j * from_stride + k), hn::Set(d, factor)), d,
                 to + j * to_stride + k);
    });
}

/// The tile's rows of a [B·M, H] array: rows [kTile, padded_head], zeros where it has no query or feature,
/// and columns_t [padded_head, kTile], their transpose.
template <class T>
void load_queries(const AttentionArrays<T>& x, QueryTile queries, const T* from, T factor, T* rows,
                  T* columns_t) {
  const int64_t padded = padded_head(x.head_size);
  if (queries.count < kTile || padded != x.head_size) std::fill(rows, rows + kTile * padded, T{0});
  scale_rows(from, x.hidden(), queries.count, x.head_size, rows, padded, factor);
  transpose(rows, padded, kTile, padded, columns_t, kTile);
}

/// The reverse: the tile's rows of `to` = columns_tᵀ·factor, through the buffer `rows`.
template <class T>
void store_queries(const AttentionArrays<T>& x, QueryTile queries, const T* columns_t, T factor, T* rows,
                   T* to) {
  const int64_t padded = padded_head(x.head_size);
  transpose(columns_t, kTile, padded, kTile, rows, padded);
  scale_rows(rows, padded, queries.count, x.head_size, to, x.hidden(), factor);
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
  for_each_distance(x, queries,
                    [&](int64_t age, int64_t distance) HWY_ATTR { by_age[age] = by_distance[distance]; });
}

/// F2: scores_t [tile.count, kTile] = keys·qᵀ + position scores; q_t is scaled by 1/√D already.
template <class T>
void tile_scores(const AttentionArrays<T>& x, Head at, const RowTile& tile, QueryTile queries, const T* q_t,
                 T* by_age, T* scores_t) {
  product<Into::overwrite, T>(tile.count, queries.count, x.head_size, keys_of<GatheredRows>(x, at, tile),
                              {q_t, kTile}, {scores_t, kTile});
  for (int64_t j = 0; j < tile.count; ++j)
    if (const T* row = row_of_age(x, by_age, queries, x.age[tile.row[j]]))
      add_row(row, queries.whole_steps(), scores_t + j * kTile);
}

}  // namespace fade::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
