// Moves rows between global memory, shared memory and registers, in packs of 16 bytes where they are aligned.
#pragma once

#include <array>

#include "ops/span_attention/cuda/arrays.h"

namespace fade::span_cuda {

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

/// Features [column, column + W) of a row of global memory, zeros from head_size on, where column < head_size
/// and `whole` is x.whole_packs.
template <int W, bool whole, class T>
__device__ Pack<T, W> load_pack(const AttentionArrays<T>& x, const T* row, int column) {
  if constexpr (whole) return pack_at<T, W>(row + column);
  Pack<T, W> pack{};
  for (int e = 0; e < W; ++e) {
    if (column + e < x.head_size) pack.at[e] = row[column + e];
  }
  return pack;
}
template <bool whole, int W, class T>
__device__ void store_pack(const AttentionArrays<T>& x, T* row, int column, const Pack<T, W>& pack) {
  if constexpr (whole) {
    put_pack(row + column, pack);
  } else {
    for (int e = 0; e < W; ++e) {
      if (column + e < x.head_size) row[column + e] = pack.at[e];
    }
  }
}

/// Packs that a thread requests from global memory before it waits for the first.
inline constexpr int kInFlight = 8;

/// f.operator()<whole, in_flight>(). Heads whose rows are not whole packs are rare: their code is short, with
/// one pack in flight, so that the kernels stay in the instruction cache.
template <class T, class F>
__device__ void with_packs(const AttentionArrays<T>& x, F f) {
  if (x.whole_packs)
    f.template operator()<true, kInFlight>();
  else
    f.template operator()<false, 1>();
}

/// Row j of each tile to[k] [kRows, D] in shared memory = factor[k]·from[k][row_of(j)] [head_size], as an
/// operand of the products P (product.h); zeros beyond head_size and where row_of(j) is negative. The packs of
/// all tiles are requested together, without a branch, so the latency of global memory is met once.
template <class P, int kRows, size_t kTiles, class F>
__device__ void load_tiles(const AttentionArrays<typename P::T>& x,
                           const std::array<RowsAt<const typename P::T>, kTiles>& from, F row_of,
                           const std::array<typename P::T*, kTiles>& to,
                           const std::array<typename P::T, kTiles>& factor) {
  using T = typename P::T;
  constexpr int kPacks = P::D / kPack<T>, kRowsAtOnce = kThreads / kPacks, kSteps = kRows / kRowsAtOnce;
  static_assert(kThreads % kPacks == 0 && kRows % kRowsAtOnce == 0);
  const int first = static_cast<int>(threadIdx.x) / kPacks,
            column = static_cast<int>(threadIdx.x) % kPacks * kPack<T>;
  with_packs(x, [&]<bool whole, int kMost>() {
    constexpr int kAtOnce = std::min(kMost, kSteps);
    static_assert(kSteps % kAtOnce == 0);
#pragma unroll 1
    for (int begin = first; begin < kRows; begin += kAtOnce * kRowsAtOnce) {
      int32_t row[kAtOnce];
#pragma unroll
      for (int n = 0; n < kAtOnce; ++n) {
        const int32_t of_tile = row_of(begin + n * kRowsAtOnce);
        row[n] = column < x.head_size ? of_tile : -1;
      }
      Pack<T> pack[kTiles][kAtOnce] = {};
#pragma unroll
      for (int n = 0; n < kAtOnce; ++n) {
#pragma unroll
        for (size_t k = 0; k < kTiles; ++k) {
          if (row[n] >= 0) pack[k][n] = load_pack<kPack<T>, whole>(x, from[k][row[n]], column);
        }
      }
#pragma unroll
      for (size_t k = 0; k < kTiles; ++k) {
#pragma unroll
        for (int n = 0; n < kAtOnce; ++n) {
          for (T& value : pack[k][n].at) value = P::operand(value * factor[k]);
          put_pack(to[k] + (begin + n * kRowsAtOnce) * P::Tile::kStride + column, pack[k][n]);
        }
      }
    }
  });
}

/// The same for one tile.
template <class P, int kRows, class T, class F>
__device__ void load_tile(const AttentionArrays<T>& x, RowsAt<const T> from, F row_of, T* to, T factor = 1) {
  load_tiles<P, kRows>(x, std::array{from}, row_of, std::array{to}, std::array{factor});
}

/// Two tiles: together, or one after the other where registers have no room for parts of both.
template <class P, int kRows, class T, class F>
__device__ void load_two_tiles(const AttentionArrays<T>& x, const std::array<RowsAt<const T>, 2>& from,
                               F row_of, const std::array<T*, 2>& to, const std::array<T, 2>& factor) {
  if constexpr (P::kLoadsTwoTiles) {
    load_tiles<P, kRows>(x, from, row_of, to, factor);
  } else {
#pragma unroll 1
    for (int k = 0; k < 2; ++k) {  // selected, not indexed: stays in registers
      const RowsAt<const T> rows{k ? from[1].first : from[0].first, from[0].pitch};
      load_tile<P, kRows>(x, rows, row_of, k ? to[1] : to[0], k ? factor[1] : factor[0]);
    }
  }
}

/// The tile's rows of an array [B·M, H].
template <class T, class Element>
__device__ RowsAt<Element> rows_of(const AttentionArrays<T>& x, const QueryTile& queries, Element* array) {
  return {array + x.query_offset(queries.stream, queries.first, queries.head), x.hidden()};
}

/// to [queries, D] = factor·the tile's rows of `from` [B·M, H].
template <class P, class T>
__device__ void load_queries(const AttentionArrays<T>& x, const QueryTile& queries, const T* from,
                             std::type_identity_t<T> factor, T* to) {
  load_tile<P, P::Tile::kQueries>(x, rows_of(x, queries, from), queries.rows(), to, factor);
}

/// q [queries, D], scaled, and dO [queries, D].
template <class P, class T>
__device__ void load_queries_and_grad(const AttentionArrays<T>& x, const QueryTile& queries,
                                      const T* from_grad, T* q, T* grad) {
  load_two_tiles<P, P::Tile::kQueries, T>(x, {rows_of(x, queries, x.q), rows_of(x, queries, from_grad)},
                                          queries.rows(), {q, grad}, {x.scale, T{1}});
}

/// keys [rows, D] of the rows row_of(j), zeros where that is negative.
template <class P, class T, class F>
__device__ void load_keys(const AttentionArrays<T>& x, int head, F row_of, T* keys) {
  load_tile<P, P::Tile::kRows>(x, x.keys(x.kv, head), row_of, keys);
}
/// values [rows, D] of the same rows.
template <class P, class T, class F>
__device__ void load_values(const AttentionArrays<T>& x, int head, F row_of, T* values) {
  load_tile<P, P::Tile::kRows>(x, x.values(x.kv, head), row_of, values);
}

/// Both.
template <class P, class T, class F>
__device__ void load_keys_and_values(const AttentionArrays<T>& x, int head, F row_of, T* keys, T* values) {
  load_two_tiles<P, P::Tile::kRows, T>(x, {x.keys(x.kv, head), x.values(x.kv, head)}, row_of, {keys, values},
                                       {T{1}, T{1}});
}

/// A row of a tile in shared memory = factor·features; each thread with features of the row puts its own.
template <class P, class T, int n>
__device__ void put_features(T* row, const T (&features)[n], T factor = 1) {
  constexpr int W = P::kPiece;
#pragma unroll
  for (int k = 0; k < n; k += W) {
    Pack<T, W> pack;
    for (int e = 0; e < W; ++e) pack.at[e] = factor * features[k + e];
    put_pack(row + P::feature(k), pack);
  }
}

/// to[row_of(j)] [head_size] in global memory = row j of a tile [kRows, D] in shared memory, where row_of(j) is
/// not negative. Sums go through shared memory so that neighbouring threads store neighbouring packs.
template <class P, int kRows, class T, class F>
__device__ void store_tile(const AttentionArrays<T>& x, const T* tile, F row_of, RowsAt<T> to) {
  constexpr int kPacks = P::D / kPack<T>;
  const int column = static_cast<int>(threadIdx.x) % kPacks * kPack<T>;
  with_packs(x, [&]<bool whole, int>() {
#pragma unroll 1
    for (int j = static_cast<int>(threadIdx.x) / kPacks; j < kRows; j += kThreads / kPacks) {
      const int32_t row = column < x.head_size ? row_of(j) : -1;
      if (row >= 0) store_pack<whole>(x, to[row], column, pack_at<T>(tile + j * P::Tile::kStride + column));
    }
  });
}

/// The tile's rows of `to` [B·M, H] = a tile [queries, D] in shared memory.
template <class P, class T>
__device__ void store_queries(const AttentionArrays<T>& x, const QueryTile& queries, const T* tile, T* to) {
  store_tile<P, P::Tile::kQueries>(x, tile, queries.rows(), rows_of(x, queries, to));
}

}  // namespace fade::span_cuda
