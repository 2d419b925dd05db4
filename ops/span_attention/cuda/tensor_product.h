// The products of tiles on tensor cores, in TF32: like Fma of product.h, with tiles of 64 × 64 and heads of 32
// or 64 features in f32. Operands lie in shared memory as for Fma, rounded when they are stored.
//
// Lane 4g + t (g < 8, t < 4) of warp w owns two rows of a tile, 16w + g and 16w + g + 8, and of each 8 columns
// two neighbours, 2t and 2t + 1:
//
//                columns  0–1   2–3   4–5   6–7   8–9   …  62–63
//   rows 16w + 0 and 8    0     1     2     3     0     …  3       lanes of warp w
//        16w + 1 and 9    4     5     6     7     4     …  7
//        …
//        16w + 7 and 15   28    29    30    31    28    …  31
//
// In Mma<D, false> the rows of the figure are queries and its columns are rows of the tile: a quad of lanes has
// all scores of a query. In Mma<D, true>, of backward_dkv, it is the other way round. Either way the
// scores of a thread are, as they are, the left operand of the product that follows (weights·values,
// dS·keys; transposed, (g·P)ᵀ·dO, dSᵀ·q): they stay in registers, and the warp owns all sums of its 16 rows.
//
// Banks: element (r, d) of a tile is in bank 4r + d (tiling.h). In product_of_rows a warp reads rows g and
// features t, banks 4g + t; in the others rows 2t and features g, banks 8t + g. Both are all 32 banks.
#pragma once

#include "engine/cuda/mma.h"
#include "ops/span_attention/cuda/product.h"

namespace fade::span_cuda {

template <int D_, bool by_rows = false>
struct Mma {
  using T = float;
  static constexpr int D = D_;
  using Tile = Tiling<T, D>;
  using ByRows = Mma<D, true>;
  using AllRows = std::conditional_t<by_rows, Fma<T, D>, Mma>;
  static constexpr bool kByRows = by_rows, kLoadsTwoTiles = true;
  static constexpr int kSide = 64, kOfWarp = kSide / kWarps;  ///< rows of the figure
  static_assert(Tile::kQueries == kSide && Tile::kRows == kSide && kOfWarp == 16);

  static constexpr int kQueriesOfThread = by_rows ? kSide / 4 : 2;
  static constexpr int kRowsOfThread = by_rows ? 2 : kSide / 4;
  static constexpr int kSumRows = 2;
  static constexpr int kRowLanes = 4;
  static constexpr int kPiece = 2;
  static constexpr int kQueriesOfWord = by_rows ? 8 : 2;
  static constexpr uint32_t kQueriesInWord = by_rows ? 0x03030303u : 0x101u;
  using Scores = Fragment<T, kQueriesOfThread, kRowsOfThread>;
  using QuerySums = Fragment<T, 2, D / 4>;
  using RowSums = Fragment<T, 2, D / 4>;

  __device__ static int warp() { return static_cast<int>(threadIdx.x) / kWarp; }
  __device__ static int g() { return static_cast<int>(threadIdx.x) % kWarp / 4; }
  __device__ static int t() { return static_cast<int>(threadIdx.x) % 4; }
  __device__ static int outer(int i) { return kOfWarp * warp() + g() + 8 * i; }
  __device__ static int inner(int j) { return 8 * (j / 2) + 2 * t() + j % 2; }

  __device__ static int query(int i) { return by_rows ? inner(i) : outer(i); }
  __device__ static int row(int j) { return by_rows ? outer(j) : inner(j); }
  __device__ static constexpr int kept_bit(int i, int j) {
    return by_rows ? i / 2 % 4 * 8 + i % 2 + i / 8 * 2 + j * 4 : i * 8 + j % 8 + j / 8 * 16;
  }
  __device__ static int sum_row(int j) { return outer(j); }
  __device__ static int feature(int n) { return inner(n); }
  __device__ static bool first_of_row_lanes() { return t() == 0; }
  __device__ static bool busy(int queries, int rows) { return kOfWarp * warp() < (by_rows ? rows : queries); }
  __device__ static T operand(T x) { return to_tf32(x); }
  __device__ static T exp(T x) { return fast_exp(x); }

  /// c[i][j] += Σ_d a[i, d]·b[j, d];  a [queries, D], b [rows, D].
  __device__ static void product_of_rows(Scores& c, const T* a, const T* b) {
    product_of_outer<kSide, D / 16>(by_rows ? b : a, by_rows ? a : b,
                                    [&](int n, auto add) { with_quarter(c, n, add); });
  }

  /// f(Σ_d a[i, d]·band[i + j, d], i, j) for each query i and column j < rows;  a [queries, D], band
  /// [queries + rows, D]. The 16 queries of a warp meet 80 rows of the band, and all of those are multiplied.
  template <class F>
  __device__ static void skewed_product(const T* a, const T* band, F f) {
    constexpr int kMet = kOfWarp + kSide;
    Fragment<T, kMet / 8, 4> c;
    product_of_outer<kMet, 2>(a, band + kOfWarp * warp() * Tile::kStride,
                              [&](int n, auto add) { add(c.at[n]); });
#pragma unroll
    for (int n = 0; n < kMet / 8; ++n) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int i = g() + e / 2 * 8, j = inner(2 * n + e % 2) - i;
        if (j >= 0 && j < kSide) f(c.at[n][e], kOfWarp * warp() + i, j);
      }
    }
  }

  /// c[i][d] += Σ_j p[i, j]·b[j, d];  p [queries, rows], each thread's piece; b [rows, D].
  __device__ static void product_with_rows(QuerySums& c, const Scores& p, T*, const T* b, int) {
    product_of_scores(c, p, b);
  }
  /// The same for p in shared memory.
  __device__ static void product_with_rows(QuerySums& c, const T* p, const T* b, int) {
    p += outer(0) * Tile::kScoreStride + 2 * t();
#pragma unroll 2
    for (int k = 0; k < kSide; k += 8) {
      const Pack<T, 2> top = pack_at<T, 2>(p + k), bottom = pack_at<T, 2>(p + k + 8 * Tile::kScoreStride);
      product_step(c, {top.at[0], bottom.at[0], top.at[1], bottom.at[1]}, b + k * Tile::kStride);
    }
  }

  /// c[j][d] += Σ_i p[i, j]·b[i, d];  p [queries, rows], each thread's piece; b [queries, D]. By rows.
  __device__ static void product_with_queries(RowSums& c, const Scores& p, const T* b) {
    product_of_scores(c, p, b);
  }
  /// The same for p in shared memory.
  __device__ static void product_with_queries(RowSums& c, const T* p, const T* b, int) {
    p += 2 * t() * Tile::kScoreStride + outer(0);
#pragma unroll 2
    for (int k = 0; k < kSide; k += 8) {
      const T *even = p + k * Tile::kScoreStride, *odd = even + Tile::kScoreStride;
      product_step(c, {even[0], even[8], odd[0], odd[8]}, b + k * Tile::kStride);
    }
  }

 private:
  struct Left {
    T at[4];
  };

  /// The 16 × 8 scores that the lanes of a warp have of columns [8n, 8n + 8) of the figure: add(c of mma_tf32).
  template <class Add>
  __device__ static void with_quarter(Scores& s, int n, Add add) {
    T c[4] = {element(s, 0, 2 * n), element(s, 0, 2 * n + 1), element(s, 1, 2 * n), element(s, 1, 2 * n + 1)};
    add(c);
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      element(s, e / 2, 2 * n + e % 2) = c[e];
    }
  }
  /// A score by its place in the figure.
  __device__ static T& element(Scores& s, int i, int j) { return by_rows ? s.at[j][i] : s.at[i][j]; }
  __device__ static T element(const Scores& s, int i, int j) { return by_rows ? s.at[j][i] : s.at[i][j]; }

  /// For each n < kColumns_/8: with(n, add), where add(c) is c += a's 16 rows of this warp · rows [8n, 8n + 8)
  /// of b, transposed;  a [64, D], b [kColumns_, D]. `kUnroll`: as far as there are registers.
  template <int kColumns_, int kUnroll, class With>
  __device__ static void product_of_outer(const T* a, const T* b, With with) {
    a += outer(0) * Tile::kStride + t();
    b += g() * Tile::kStride + t();
#pragma unroll kUnroll
    for (int d = 0; d < D; d += 8) {
      const T* const low = a + 8 * Tile::kStride + d;
      const T x[4] = {a[d], low[0], a[d + 4], low[4]};
#pragma unroll
      for (int n = 0; n < kColumns_ / 8; ++n) {
        const T* const column = b + 8 * n * Tile::kStride + d;
        const T y[2] = {column[0], column[4]};
        with(n, [&](T(&c)[4]) { mma_tf32(c, x, y); });
      }
    }
  }

  /// c += scores·b;  b [64, D].
  __device__ static void product_of_scores(QuerySums& c, const Scores& p, const T* b) {
#pragma unroll
    for (int n = 0; n < kSide / 8; ++n) {
      product_step(c,
                   {to_tf32(element(p, 0, 2 * n)), to_tf32(element(p, 1, 2 * n)),
                    to_tf32(element(p, 0, 2 * n + 1)), to_tf32(element(p, 1, 2 * n + 1))},
                   b + 8 * n * Tile::kStride);
    }
  }

  /// c += a·b;  b [8, D] from `b` on, a [16, 8] of which this thread has columns 2t (twice, then 2t + 1).
  __device__ static void product_step(QuerySums& c, const Left& a, const T* b) {
    b += 2 * t() * Tile::kStride + g();
#pragma unroll
    for (int n = 0; n < D / 8; ++n) {
      const T y[2] = {b[8 * n], b[8 * n + Tile::kStride]};
      T sum[4] = {c.at[0][2 * n], c.at[0][2 * n + 1], c.at[1][2 * n], c.at[1][2 * n + 1]};
      mma_tf32(sum, a.at, y);
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        c.at[e / 2][2 * n + e % 2] = sum[e];
      }
    }
  }
};

}  // namespace fade::span_cuda
