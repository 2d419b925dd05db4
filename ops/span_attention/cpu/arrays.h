// Shared by the files of the CPU kernels: launch.cpp divides the work among the cores; forward.cpp and
// backward.cpp do a piece of it with SIMD, compiled once per instruction set.
//
// Names ending in _t are of tiles that are stored with one query per column, that is, per SIMD lane.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "ops/span_attention/span_attention_kernels.h"

namespace fade {

/// Queries in a tile, and context rows in one.
inline constexpr int64_t kTile = 64;
/// Queries that a tile of rows leaves out are a multiple of this: whole vectors, and whole lines in f32.
inline constexpr int64_t kQueryStep = 16;

/// The inputs' arrays and sizes (names as in span_attention.h).
template <class T>
struct AttentionArrays {
  const T *q, *kv, *pos, *span;
  const int32_t *start, *age;
  const int32_t* kept;  ///< nullptr without dropout
  T kept_factor;        ///< g of a kept weight
  int64_t rows, head_size, positions;
  SpanAttentionSizes sizes;

  int64_t hidden() const { return sizes.heads * head_size; }
  /// The largest distance with a position row of its own, and the largest that has one: slots share theirs.
  int64_t last_own_position() const { return sizes.slots.count ? sizes.window : positions; }
  int64_t last_position() const { return sizes.last_position(positions); }
};

template <class T>
struct ForwardArrays : AttentionArrays<T> {
  T *out, *lse;
};

template <class T>
struct BackwardArrays : AttentionArrays<T> {
  const T *out, *lse, *grad;
  T *dq, *dkv;
  T* dspan;  ///< parts of it: expiring [K, N], adaptive [B, K]; else nullptr
};

/// One head of one stream.
struct Head {
  int64_t stream, head;
};

/// Rows begin, …, end − 1 of the packed context.
struct RowRange {
  int64_t begin, end;
};

/// The context of a stream: its memory and its block.
template <class T>
std::array<RowRange, 2> context_of(const AttentionArrays<T>& x, int64_t stream) {
  const int64_t block = x.sizes.memory_rows + stream * x.sizes.block;
  return {{{x.start[stream], x.start[stream + 1]}, {block, block + x.sizes.block}}};
}

/// A tile of consecutive queries of one head.
struct QueryTile {
  int64_t first, count;
  int64_t last() const { return first + count - 1; }
  int64_t whole_steps() const { return (count + kQueryStep - 1) / kQueryStep * kQueryStep; }
  QueryTile from(int64_t query) const { return {first + query, count - query}; }
  QueryRange range() const { return {static_cast<int32_t>(first), static_cast<int32_t>(last())}; }
};

/// Context rows that a tile of queries sees.
struct RowTile {
  bool full = false;   ///< every query sees all of each row: no mask, no gradient to the spans
  int64_t unseen = 0;  ///< so many of the tile's first queries see none of the rows; a multiple of kQueryStep
  int64_t count = 0;   ///< at most kTile
  int64_t next =
      -1;  ///< the first row of the context that has not been gathered yet, to be prefetched; −1: none
  int64_t row[kTile + 1];  ///< the last is room for a row that is not added
};

/// Forward of the tile of queries that begins at `first_query`, with the best instructions of this machine.
template <class T>
void forward_tile(const ForwardArrays<T>& x, Head head, int64_t first_query, T* scratch);

/// Forward of the only query of a stream's block, all heads, without dropout.
template <class T>
void forward_query(const ForwardArrays<T>& x, int64_t stream, T* scratch);

/// Backward of all queries of a head: writes its columns of dq and dkv and its part of dspan, and adds to
/// dpos [P, padded_head].
template <class T>
void backward_head(const BackwardArrays<T>& x, Head head, T* dpos, T* scratch);

}  // namespace fade
