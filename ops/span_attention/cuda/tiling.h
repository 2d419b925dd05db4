// Sizes, arrays and shared memory of the CUDA kernels of span attention. The design is described in
// span_attention.md, "On CUDA".
#pragma once

#include "engine/cuda/cuda.h"
#include "ops/span_attention/span_attention.h"

namespace fade::span_cuda {

/// Threads of a block, and how they share a tile of queries × rows: thread (x, y) owns some queries of group
/// y and some rows (or features) of group x. A warp holds two groups of queries, so that sums and maxima over
/// the rows stay within half a warp.
inline constexpr int kThreads = 128, kColumns = 16, kGroups = kThreads / kColumns;

__device__ inline int column_of_thread() { return static_cast<int>(threadIdx.x) % kColumns; }
__device__ inline int group_of_thread() { return static_cast<int>(threadIdx.x) / kColumns; }

/// Elements in the 16 bytes that one instruction moves.
template <class T>
inline constexpr int kPack = 16 / static_cast<int>(sizeof(T));

/// Shared memory that a block may have on every architecture.
inline constexpr size_t kMostShared = 99 * 1024;

/// Sizes of a tile for heads of up to D features: each operand takes at most 16 KiB, so that four of them,
/// the scores and what else a kernel needs stay below the 99 KiB that a block may have on every architecture.
template <class T, int D>
struct Tiling {
  static constexpr int kFit = 16384 / (D * static_cast<int>(sizeof(T))), kMost = sizeof(T) == 4 ? 64 : 32;
  static constexpr int kQueries = std::clamp(kFit, kGroups, kMost);
  static constexpr int kRows = std::clamp(kFit, kColumns, kMost);

  static constexpr int kQueriesOfThread = kQueries / kGroups;  ///< consecutive ones
  static constexpr int kRowsOfThread = kRows / kColumns;       ///< every 16th
  static constexpr int kFeaturesOfThread = D / kColumns;       ///< in pieces of kPiece
  static constexpr int kPiece = std::min(kPack<T>, kFeaturesOfThread);
  static constexpr int kRowsOfGroup = kRows / kGroups;  ///< consecutive ones, of gradients of rows

  // Rows of shared memory are 16 bytes longer than what they hold: neighbouring ones begin in other banks.
  static constexpr int kStride = D + kPack<T>, kScoreStride = kRows + kPack<T>;

  static constexpr int kQueryTile = kQueries * kStride, kRowTile = kRows * kStride;
  static constexpr int kScoreTile = kQueries * kScoreStride;
  static constexpr int kQueue = kRows + kThreads;  ///< context rows found and not yet worked on
};

/// Distances; none if last < first.
struct Distances {
  int32_t first, last;
};

/// The inputs (names as in span_attention.h), and the mask of every kind as one formula: row j is seen at
/// first ≤ δ ≤ last where its remaining span r = e_j − δ > floor, and weighs m = clamp(r/R + 1, 0, 1).
template <class T>
struct Arrays {
  const T *q, *kv, *pos, *span;
  const int32_t *start, *age;
  int64_t memory_rows;
  int32_t streams, block, heads, head_size, positions;
  bool whole_packs;  ///< every head of every row begins at a multiple of 16 bytes
  T scale, epsilon;  ///< 1/√D; what keeps the denominator of a soft mask from 0

  int32_t span_row, span_head;  ///< e_j of head h is span[j·span_row + h·span_head] + span_offset
  T span_offset, floor, ramp, inverse_ramp;
  int32_t slot_age;        ///< rows older than this are slots
  Distances exact, slots;  ///< at which other rows are seen, and slots
  int32_t reach;           ///< distances up to which rows have one of the P position rows
  SpanAttentionSizes sizes;

  bool dropout;
  uint32_t dropped_below;  ///< a weight is dropped iff its number's upper 24 bits are below
  T kept;                  ///< factor of the others
  RngKey key;

  __host__ __device__ int64_t hidden() const { return int64_t{heads} * head_size; }
  __host__ __device__ int64_t rows() const { return memory_rows + int64_t{streams} * block; }
  __device__ T span_of(int64_t row, int head) const {
    return (span ? span[row * span_row + head * span_head] : T{0}) + span_offset;
  }
  /// The key of head `head`; its value is hidden() further.
  __device__ const T* key_of(int64_t row, int head) const {
    return kv + row * 2 * hidden() + head * head_size;
  }
  /// Where head `head` of query i is in an array [B·M, H].
  __device__ int64_t query_offset(int stream, int64_t i, int head) const {
    return (int64_t{stream} * block + i) * hidden() + head * head_size;
  }
  /// Where query i is in an array [B, K, M].
  __device__ int64_t sum_offset(int stream, int64_t i, int head) const {
    return (int64_t{stream} * heads + head) * block + i;
  }
  /// Row number p of pos or of an array like it, or nullptr if there is none.
  template <class Element>
  __device__ Element* position(Element* table, int64_t p) const {
    return p >= 0 && p < positions ? table + p * head_size : nullptr;
  }
  __device__ Distances seen(int32_t age_of_row) const { return age_of_row > slot_age ? slots : exact; }
};

/// What both halves of backward read: as forward left it, the gradient that arrived [B·M, H], and
/// delta [B, K, M] = Σ_d grad·out.
template <class T>
struct Saved {
  const T *log_sum, *delta, *grad;
};

/// Consecutive queries of one head of one stream.
struct Queries {
  int stream, head, first, count;
  __device__ int last() const { return first + count - 1; }
  /// The first one of this thread, of `each`.
  __device__ int mine(int each) const { return first + group_of_thread() * each; }
  /// True iff a thread of this warp has one.
  __device__ bool any_in_warp(int each) const { return group_of_thread() / 2 * 2 * each < count; }
};

/// Tile number n of the launch. The last queries of a block see most rows, and begin first.
template <class T>
__device__ Queries query_tile(const Arrays<T>& x, int64_t n, int size) {
  const int64_t tiles = (x.block + size - 1) / size, rest = n / x.heads;
  const int first = static_cast<int>(tiles - 1 - rest % tiles) * size;
  return {static_cast<int>(rest / tiles), static_cast<int>(n % x.heads), first,
          std::min(size, x.block - first)};
}

template <class T>
int64_t query_tiles(const Arrays<T>& x, int size) {
  return int64_t{x.streams} * x.heads * ((x.block + size - 1) / size);
}

/// 16 bytes, or fewer, that move at once.
template <class T, int W = kPack<T>>
struct alignas(W * sizeof(T)) Pack {
  T at[W];
};
template <class T, int W = kPack<T>>
__device__ const Pack<T, W>& pack_at(const T* p) {
  return *reinterpret_cast<const Pack<T, W>*>(p);
}
template <int W, class T>
__device__ void put_pack(T* p, const Pack<T, W>& pack) {
  *reinterpret_cast<Pack<T, W>*>(p) = pack;
}

/// Features [column, column + W) of a row of global memory, zeros from head_size on.
template <int W, class T>
__device__ Pack<T, W> load_pack(const Arrays<T>& x, const T* row, int column) {
  if (x.whole_packs) return column < x.head_size ? pack_at<T, W>(row + column) : Pack<T, W>{};
  Pack<T, W> pack{};
  for (int e = 0; e < W; ++e)
    if (column + e < x.head_size) pack.at[e] = row[column + e];
  return pack;
}
template <int W, class T>
__device__ void store_pack(const Arrays<T>& x, T* row, int column, const Pack<T, W>& pack) {
  if (x.whole_packs) {
    if (column < x.head_size) put_pack(row + column, pack);
    return;
  }
  for (int e = 0; e < W; ++e)
    if (column + e < x.head_size) row[column + e] = pack.at[e];
}

/// Packs that a thread has on their way from global memory before it needs the first.
inline constexpr int kInFlight = 8;

/// to [kRows, D] in shared memory = factor·from(row) [head_size] for each row, zeros beyond its features and
/// where from(row) is nullptr.
template <class T, int D, int kRows, class From>
__device__ void load_tile(const Arrays<T>& x, T* to, From from, T factor = 1) {
  constexpr int kPacks = D / kPack<T>, kTotal = kRows * kPacks;
  for (int begin = static_cast<int>(threadIdx.x); begin < kTotal; begin += kInFlight * kThreads) {
    Pack<T> pack[kInFlight] = {};
    FADE_UNROLL
    for (int n = 0; n < kInFlight; ++n) {
      const int at = begin + n * kThreads;
      if (const T* row = at < kTotal ? from(at / kPacks) : nullptr)
        pack[n] = load_pack<kPack<T>>(x, row, at % kPacks * kPack<T>);
    }
    FADE_UNROLL
    for (int n = 0; n < kInFlight; ++n) {
      const int at = begin + n * kThreads;
      if (at >= kTotal) continue;
      for (T& value : pack[n].at) value *= factor;
      put_pack(to + at / kPacks * Tiling<T, D>::kStride + at % kPacks * kPack<T>, pack[n]);
    }
  }
}

/// to [queries, D] = factor·the tile's rows of `from` [B·M, H].
template <class T, int D>
__device__ void load_queries(const Arrays<T>& x, const Queries& queries, const T* from, T factor, T* to) {
  load_tile<T, D, Tiling<T, D>::kQueries>(
      x, to,
      [&](int i) {
        return i < queries.count ? from + x.query_offset(queries.stream, queries.first + i, queries.head)
                                 : nullptr;
      },
      factor);
}

/// keys [rows, D] of the rows row_of(j), zeros where that is negative; and their values.
template <class T, int D, class F>
__device__ void load_keys(const Arrays<T>& x, int head, F row_of, T* keys) {
  load_tile<T, D, Tiling<T, D>::kRows>(x, keys, [&](int j) {
    const int64_t row = row_of(j);
    return row < 0 ? nullptr : x.key_of(row, head);
  });
}
template <class T, int D, class F>
__device__ void load_values(const Arrays<T>& x, int head, F row_of, T* values) {
  load_tile<T, D, Tiling<T, D>::kRows>(x, values, [&](int j) {
    const int64_t row = row_of(j);
    return row < 0 ? nullptr : x.key_of(row, head) + x.hidden();
  });
}

/// Calls f(column, pack) for the packs of features that a thread has of a row of a fragment.
template <class T, int n, class F>
__device__ void for_each_pack(const T (&features)[n], T factor, F f) {
  constexpr int W = std::min(kPack<T>, n);
  FADE_UNROLL
  for (int k = 0; k < n; k += W) {
    Pack<T, W> pack;
    for (int e = 0; e < W; ++e) pack.at[e] = factor * features[k + e];
    f(k * kColumns + column_of_thread() * W, pack);
  }
}

/// row [head_size] in global memory = factor·features of all threads of a group.
template <class T, int n>
__device__ void store_features(const Arrays<T>& x, T* row, const T (&features)[n], T factor = 1) {
  for_each_pack(features, factor, [&](int column, const auto& pack) { store_pack(x, row, column, pack); });
}

}  // namespace fade::span_cuda
