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

/// Features [column, column + W) of a row of global memory, zeros from head_size on.
template <int W, class T>
__device__ Pack<T, W> load_pack(const AttentionArrays<T>& x, const T* row, int column) {
  if (x.whole_packs) return column < x.head_size ? pack_at<T, W>(row + column) : Pack<T, W>{};
  Pack<T, W> pack{};
  for (int e = 0; e < W; ++e) {
    if (column + e < x.head_size) pack.at[e] = row[column + e];
  }
  return pack;
}
template <int W, class T>
__device__ void store_pack(const AttentionArrays<T>& x, T* row, int column, const Pack<T, W>& pack) {
  if (x.whole_packs) {
    if (column < x.head_size) put_pack(row + column, pack);
    return;
  }
  for (int e = 0; e < W; ++e) {
    if (column + e < x.head_size) row[column + e] = pack.at[e];
  }
}

/// Packs that a thread requests from global memory before it waits for the first.
inline constexpr int kInFlight = 8;

/// to [kRows, D] in shared memory = factor·from(row) [head_size] for each row, as an operand of the products P
/// (product.h); zeros beyond head_size and where from(row) is nullptr.
template <class P, int kRows, class From>
__device__ void load_tile(const AttentionArrays<typename P::T>& x, typename P::T* to, From from,
                          typename P::T factor = 1) {
  using T = typename P::T;
  constexpr int D = P::D;
  constexpr int kPacks = D / kPack<T>, kTotal = kRows * kPacks;
  for (int begin = static_cast<int>(threadIdx.x); begin < kTotal; begin += kInFlight * kThreads) {
    Pack<T> pack[kInFlight] = {};
#pragma unroll
    for (int n = 0; n < kInFlight; ++n) {
      const int at = begin + n * kThreads;
      if (const T* row = at < kTotal ? from(at / kPacks) : nullptr)
        pack[n] = load_pack<kPack<T>>(x, row, at % kPacks * kPack<T>);
    }
#pragma unroll
    for (int n = 0; n < kInFlight; ++n) {
      const int at = begin + n * kThreads;
      if (at >= kTotal) continue;
      for (T& value : pack[n].at) value = P::operand(value * factor);
      put_pack(to + at / kPacks * Tiling<T, D>::kStride + at % kPacks * kPack<T>, pack[n]);
    }
  }
}

/// load_tile of two tiles with the same rows: from(row) are the pointers to both. All of a thread's packs are
/// requested before it waits for the first, so the latency of global memory is met once.
template <class P, int kRows, class From>
__device__ void load_tiles(const AttentionArrays<typename P::T>& x, std::array<typename P::T*, 2> to,
                           From from, std::array<typename P::T, 2> factor) {
  using T = typename P::T;
  if constexpr (!P::kLoadsTwoTiles) {
    load_tile<P, kRows>(
        x, to[0], [&](int row) { return from(row)[0]; }, factor[0]);
    load_tile<P, kRows>(
        x, to[1], [&](int row) { return from(row)[1]; }, factor[1]);
  } else {
    constexpr int kPacks = P::D / kPack<T>, kAtOnce = kThreads / kPacks, kSteps = kRows / kAtOnce;
    static_assert(kThreads % kPacks == 0 && kRows % kAtOnce == 0);
    const int first = static_cast<int>(threadIdx.x) / kPacks,
              column = static_cast<int>(threadIdx.x) % kPacks * kPack<T>;
    Pack<T> pack[2][kSteps] = {};
#pragma unroll
    for (int n = 0; n < kSteps; ++n) {
      const auto row = from(first + n * kAtOnce);
      if (!row[0]) continue;
      pack[0][n] = load_pack<kPack<T>>(x, row[0], column);
      pack[1][n] = load_pack<kPack<T>>(x, row[1], column);
    }
#pragma unroll
    for (int k = 0; k < 2; ++k) {
#pragma unroll
      for (int n = 0; n < kSteps; ++n) {
        for (T& value : pack[k][n].at) value = P::operand(value * factor[k]);
        put_pack(to[k] + (first + n * kAtOnce) * P::Tile::kStride + column, pack[k][n]);
      }
    }
  }
}

/// to [queries, D] = factor·the tile's rows of `from` [B·M, H].
template <class P, class T>
__device__ void load_queries(const AttentionArrays<T>& x, const QueryTile& queries, const T* from,
                             std::type_identity_t<T> factor, T* to) {
  const auto row = [&](int i) {
    return i < queries.count ? from + x.query_offset(queries.stream, queries.first + i, queries.head)
                             : nullptr;
  };
  load_tile<P, P::Tile::kQueries>(x, to, row, factor);
}

/// q [queries, D], scaled, and dO [queries, D].
template <class P, class T>
__device__ void load_queries_and_grad(const AttentionArrays<T>& x, const QueryTile& queries,
                                      const T* from_grad, T* q, T* grad) {
  const auto rows = [&](int i) -> std::array<const T*, 2> {
    if (i >= queries.count) return {};
    const int64_t at = x.query_offset(queries.stream, queries.first + i, queries.head);
    return {x.q + at, from_grad + at};
  };
  load_tiles<P, P::Tile::kQueries>(x, {q, grad}, rows, {x.scale, T{1}});
}

/// keys [rows, D] of the rows row_of(j), zeros where that is negative.
template <class P, class T, class F>
__device__ void load_keys(const AttentionArrays<T>& x, int head, F row_of, T* keys) {
  load_tile<P, P::Tile::kRows>(x, keys, [&](int j) {
    const int64_t row = row_of(j);
    return row < 0 ? nullptr : x.key_of(row, head);
  });
}
/// values [rows, D] of the same rows.
template <class P, class T, class F>
__device__ void load_values(const AttentionArrays<T>& x, int head, F row_of, T* values) {
  load_tile<P, P::Tile::kRows>(x, values, [&](int j) {
    const int64_t row = row_of(j);
    return row < 0 ? nullptr : x.key_of(row, head) + x.hidden();
  });
}

/// Both.
template <class P, class T, class F>
__device__ void load_keys_and_values(const AttentionArrays<T>& x, int head, F row_of, T* keys, T* values) {
  const auto rows = [&](int j) -> std::array<const T*, 2> {
    const int64_t row = row_of(j);
    if (row < 0) return {};
    const T* key = x.key_of(row, head);
    return {key, key + x.hidden()};
  };
  load_tiles<P, P::Tile::kRows>(x, {keys, values}, rows, {T{1}, T{1}});
}

/// Calls f(column, pack) for each pack of features that this thread holds of one row of a
/// fragment, times `factor`.
template <class P, class T, int n, class F>
__device__ void for_each_pack(const T (&features)[n], T factor, F f) {
  constexpr int W = P::kPiece;
#pragma unroll
  for (int k = 0; k < n; k += W) {
    Pack<T, W> pack;
    for (int e = 0; e < W; ++e) pack.at[e] = factor * features[k + e];
    f(P::feature(k), pack);
  }
}

/// row [head_size] in global memory = factor·features; each thread with features of the row stores its own.
template <class P, class T, int n>
__device__ void store_features(const AttentionArrays<T>& x, T* row, const T (&features)[n], T factor = 1) {
  for_each_pack<P>(features, factor, [&](int column, const auto& pack) { store_pack(x, row, column, pack); });
}

}  // namespace fade::span_cuda
