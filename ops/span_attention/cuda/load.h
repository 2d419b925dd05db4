// Moves rows between global memory, shared memory and registers, in packs of 16 bytes where they are aligned.
#pragma once

#include <array>

#include "engine/cuda/async_copy.h"
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
template <int W, bool whole, class S, class T>
__device__ Pack<T, W> load_pack(const AttentionArrays<S>& x, const T* row, int column) {
  if constexpr (whole) return pack_at<T, W>(row + column);
  Pack<T, W> pack{};
  for (int e = 0; e < W; ++e) {
    if (column + e < x.head_size) pack.at[e] = row[column + e];
  }
  return pack;
}
template <bool whole, int W, class S, class T>
__device__ void store_pack(const AttentionArrays<S>& x, T* row, int column, const Pack<T, W>& pack) {
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
template <class S, class F>
__device__ void with_packs(const AttentionArrays<S>& x, F f) {
  if (x.whole_packs)
    f.template operator()<true, kInFlight>();
  else
    f.template operator()<false, 1>();
}

/// Copies rows as load_tiles does, asynchronously, where they are whole packs of what is stored.
template <class P, int kRows, class S, class F>
__device__ void copy_tile(const AttentionArrays<S>& x, RowsAt<const S> from, F row_of, S* to) {
  constexpr int kPacks = P::D / kPack<S>, kRowsAtOnce = kThreads / kPacks;
  const int first = static_cast<int>(threadIdx.x) / kPacks,
            column = static_cast<int>(threadIdx.x) % kPacks * kPack<S>;
  const bool has_column = column < x.head_size;
  if (has_column) from.first += column;
  to += first * P::Tile::kStride + column;
#pragma unroll 4
  for (int n = 0; n < kRows; n += kRowsAtOnce) {
    const int32_t row = row_of(first + n);
    copy_async(to + n * P::Tile::kStride, from[std::max(row, 0)], has_column && row >= 0);
  }
}

/// Row j of each tile to[k] [kRows, D] in shared memory = from[k][row_of(j)] [head_size], as an operand of the
/// products P (product.h); zeros beyond head_size and where row_of(j) is negative. They are there when all threads
/// have met. The packs of all tiles are requested together, without a branch, so the latency of global memory is met
/// once; those of bf16 pass through no registers.
template <class P, int kRows, size_t kTiles, class F>
__device__ void load_tiles(const AttentionArrays<typename P::S>& x,
                           const std::array<RowsAt<const typename P::S>, kTiles>& from, F row_of,
                           const std::array<typename P::S*, kTiles>& to) {
  using S = typename P::S;
  constexpr int kPacks = P::D / kPack<S>, kRowsAtOnce = kThreads / kPacks, kSteps = kRows / kRowsAtOnce;
  static_assert(kThreads % kPacks == 0 && kRows % kRowsAtOnce == 0);
  const int first = static_cast<int>(threadIdx.x) / kPacks,
            column = static_cast<int>(threadIdx.x) % kPacks * kPack<S>;
  const auto load = [&]<bool whole, int kMost>() {
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
      Pack<S> pack[kTiles][kAtOnce] = {};
#pragma unroll
      for (int n = 0; n < kAtOnce; ++n) {
#pragma unroll
        for (size_t k = 0; k < kTiles; ++k) {
          if (row[n] >= 0) pack[k][n] = load_pack<kPack<S>, whole>(x, from[k][row[n]], column);
        }
      }
#pragma unroll
      for (size_t k = 0; k < kTiles; ++k) {
#pragma unroll
        for (int n = 0; n < kAtOnce; ++n) {
          for (S& value : pack[k][n].at) value = P::operand(value);
          put_pack(to[k] + (begin + n * kRowsAtOnce) * P::Tile::kStride + column, pack[k][n]);
        }
      }
    }
  };
  if constexpr (std::is_same_v<S, bf16>) {
    if (!x.whole_packs) return load.template operator()<false, 1>();
    for (size_t k = 0; k < kTiles; ++k) copy_tile<P, kRows>(x, from[k], row_of, to[k]);
    close_copies();
    wait_for_copies<0>();
  } else {
    with_packs(x, load);
  }
}

/// The same for one tile.
template <class P, int kRows, class S, class F>
__device__ void load_tile(const AttentionArrays<S>& x, RowsAt<const S> from, F row_of, S* to) {
  load_tiles<P, kRows>(x, std::array{from}, row_of, std::array{to});
}

/// Starts to load a tile as load_tiles does, if P::kLoadsAhead; else loads it. It is there after wait_for_copies and
/// a barrier; none of the tiles that were started since the last close_copies before that.
template <class P, int kRows, class S, class F>
__device__ void start_tile(const AttentionArrays<S>& x, RowsAt<const S> from, F row_of, S* to) {
  if (P::kLoadsAhead && x.whole_packs)
    copy_tile<P, kRows>(x, from, row_of, to);
  else
    load_tiles<P, kRows>(x, std::array{from}, row_of, std::array{to});
}

/// Two tiles: together, or one after the other where registers have no room for parts of both.
template <class P, int kRows, class S, class F>
__device__ void load_two_tiles(const AttentionArrays<S>& x, const std::array<RowsAt<const S>, 2>& from,
                               F row_of, const std::array<S*, 2>& to) {
  if constexpr (P::kLoadsTwoTiles) {
    load_tiles<P, kRows>(x, from, row_of, to);
  } else {
#pragma unroll 1
    for (int k = 0; k < 2; ++k) {  // selected, not indexed: stays in registers
      const RowsAt<const S> rows{k ? from[1].first : from[0].first, from[0].pitch};
      load_tile<P, kRows>(x, rows, row_of, k ? to[1] : to[0]);
    }
  }
}

/// The tile's rows of an array [B·M, H].
template <class S, class Element>
__device__ RowsAt<Element> rows_of(const AttentionArrays<S>& x, const QueryTile& queries, Element* array) {
  return {array + x.query_offset(queries.stream, queries.first, queries.head), x.hidden()};
}

/// to [queries, D] = the tile's rows of `from` [B·M, H].
template <class P, class S>
__device__ void load_queries(const AttentionArrays<S>& x, const QueryTile& queries, const S* from, S* to) {
  load_tile<P, P::Tile::kQueries>(x, rows_of(x, queries, from), queries.rows(), to);
}

/// q [queries, D] and dO [queries, D].
template <class P, class S>
__device__ void load_queries_and_grad(const AttentionArrays<S>& x, const QueryTile& queries,
                                      const S* from_grad, S* q, S* grad) {
  load_two_tiles<P, P::Tile::kQueries, S>(x, {rows_of(x, queries, x.q), rows_of(x, queries, from_grad)},
                                          queries.rows(), {q, grad});
}

/// values [rows, D] of the rows row_of(j), zeros where that is negative.
template <class P, class S, class F>
__device__ void load_values(const AttentionArrays<S>& x, int head, F row_of, S* values) {
  load_tile<P, P::Tile::kRows>(x, x.values(x.kv, head), row_of, values);
}

/// keys and values [rows, D] of these rows.
template <class P, class S, class F>
__device__ void load_keys_and_values(const AttentionArrays<S>& x, int head, F row_of, S* keys, S* values) {
  load_two_tiles<P, P::Tile::kRows, S>(x, {x.keys(x.kv, head), x.values(x.kv, head)}, row_of, {keys, values});
}

/// A row of a tile in shared memory = factor·features; each thread with features of the row puts its own.
template <class P, class S, class T, int n>
__device__ void put_features(S* row, const T (&features)[n], T factor = 1) {
  constexpr int W = P::kPiece;
#pragma unroll
  for (int k = 0; k < n; k += W) {
    Pack<S, W> pack;
    for (int e = 0; e < W; ++e) pack.at[e] = static_cast<S>(factor * features[k + e]);
    put_pack(row + P::feature(k), pack);
  }
}

/// to[row_of(j)] [head_size] in global memory = row j of a tile [kRows, D] in shared memory, where row_of(j) is
/// not negative. Sums go through shared memory so that neighbouring threads store neighbouring packs.
template <class P, int kRows, class S, class F>
__device__ void store_tile(const AttentionArrays<S>& x, const S* tile, F row_of, RowsAt<S> to) {
  constexpr int kPacks = P::D / kPack<S>;
  const int column = static_cast<int>(threadIdx.x) % kPacks * kPack<S>;
  with_packs(x, [&]<bool whole, int>() {
#pragma unroll 1
    for (int j = static_cast<int>(threadIdx.x) / kPacks; j < kRows; j += kThreads / kPacks) {
      const int32_t row = column < x.head_size ? row_of(j) : -1;
      if (row >= 0) store_pack<whole>(x, to[row], column, pack_at(tile + j * P::Tile::kStride + column));
    }
  });
}

/// The tile's rows of `to` [B·M, H] = a tile [queries, D] in shared memory.
template <class P, class S>
__device__ void store_queries(const AttentionArrays<S>& x, const QueryTile& queries, const S* tile, S* to) {
  store_tile<P, P::Tile::kQueries>(x, tile, queries.rows(), rows_of(x, queries, to));
}

}  // namespace fade::span_cuda
