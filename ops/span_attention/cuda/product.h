// Products of tiles in shared memory, summed in registers. All threads of a thread block take part, each with
// its own piece of the result, a fragment. These four products are all of the arithmetic that grows with the
// head size. Kernels are templates of them: Fma here multiplies and adds number by number, exactly; Mma
// (tensor_product.h) on tensor cores. A set of products P says which elements of a tile a thread owns:
//
//   P::Scores        its scores of a tile [queries, rows]: at[i][j] of query P::query(i) and row P::row(j)
//   P::kRowLanes     so many neighbouring lanes have the same queries and, together, all rows of the tile
//   P::QuerySums     its sums of a tile [queries, D]: at[i][n] of query P::query(i)
//   P::RowSums       its sums of a tile [rows, D]: at[j][n] of row P::sum_row(j)
//   P::feature(n)    the feature of at[..][n]; from n to n + P::kPiece they are consecutive
//   P::busy(q, r)    whether this warp's scores belong to one of q queries and r rows
//   P::S             in which tiles of vectors are stored; P::T: of scores and sums
//   P::operand(x)    x, rounded to what the products multiply: how tiles are stored
//   P::exp(x)        e^(x/P::kUnit), as exact as the products
//   P::ByRows        the products of backward_dkv, which sums over queries
//   P::kLoadsAhead   whether tiles are loaded while others are worked on (load.h)
//   P::stores(i)     whether this warp, of those that own query P::query(i), is the one that stores what a query has
//                    once: its lse, its row of dS. P::ByRows: of row i, its dspan
//   P::sync_queries() a barrier for the warps that share queries
//   P::sync_scores() makes what skewed_product stored visible to those that read it
//
// Fma's thread (x, y), x = thread % 16, y = thread / 16, of a tile of 64 queries × 64 rows of 64 features:
//
//   Scores [8][4]: 8 consecutive queries, every 16th row
//
//           rows   0      1    …    15     16     17   …    31     32   …    63
//   queries  0–7   (0,0)  (1,0)  …  (15,0) (0,0)  (1,0)  …  (15,0) (0,0)  …  (15,0)  ┐ warp 0
//            8–15  (0,1)  (1,1)  …  (15,1) (0,1)  (1,1)  …  (15,1) (0,1)  …  (15,1)  ┘
//            …
//           56–63  (0,7)  (1,7)  …  (15,7) (0,7)  (1,7)  …  (15,7) (0,7)  …  (15,7)    warp 3
//
//   QuerySums [8][4]: 8 consecutive queries,       RowSums [8][4]: 8 consecutive rows,
//                     4 consecutive features                       4 consecutive features
//
//       features   0–3    4–7   …  60–63           features   0–3    4–7   …  60–63
//   queries  0–7   (0,0)  (1,0)  …  (15,0)         rows 0–7   (0,0)  (1,0)  …  (15,0)
//            8–15  (0,1)  (1,1)  …  (15,1)              8–15  (0,1)  (1,1)  …  (15,1)
//            …                                          …
//
// The scores of one query are in one half warp, which therefore finds their maximum and sums with shuffles.
// The queries of a warp's Scores are those of its QuerySums, so that weights·values needs no barrier wider
// than a warp.
//
// Loops over a fragment are unrolled as a whole: only then are all its indices constants, and the fragment
// stays in registers.
#pragma once

#include <cmath>

#include "ops/span_attention/cuda/load.h"
#include "ops/span_attention/cuda/mask.h"

namespace fade::span_cuda {

/// A thread's piece of a tile.
template <class T, int kRows, int kColumns_>
struct Fragment {
  T at[kRows][kColumns_] = {};
};

/// Exact products of T.
template <class T_, int D_>
struct Fma {
  using S = T_;
  using T = T_;
  static constexpr int D = D_;
  using Tile = Tiling<T, D>;
  using ByRows = Fma;
  static constexpr bool kLoadsAhead = false;
  static constexpr int kResidentForward = Tile::kResident;
  static constexpr bool kByRows = false;         ///< whether a warp has all queries of its rows
  static constexpr bool kLoadsTwoTiles = false;  ///< whether registers have room for parts of two tiles

  static constexpr int kQueriesOfThread = Tile::kQueriesOfThread;  ///< of a thread, consecutive
  static constexpr int kRowsOfThread = Tile::kRowsOfThread;        ///< of a thread, every 16th
  static constexpr int kSumRows = Tile::kRowsOfGroup;
  static constexpr int kRowLanes = kColumns;
  static constexpr int kPiece = Tile::kPiece;
  using Scores = Fragment<T, kQueriesOfThread, kRowsOfThread>;
  using QuerySums = Fragment<T, kQueriesOfThread, Tile::kFeaturesOfThread>;
  using RowSums = Fragment<T, kSumRows, Tile::kFeaturesOfThread>;

  __device__ static int query(int i) { return group_of_thread() * kQueriesOfThread + i; }
  __device__ static int row(int j) { return column_of_thread() + j * kColumns; }
  __device__ static int sum_row(int j) { return group_of_thread() * kSumRows + j; }
  __device__ static int feature(int n) { return n * kColumns + column_of_thread() * kPiece; }
  __device__ static bool first_of_row_lanes() { return column_of_thread() == 0; }
  __device__ static bool stores(int) { return true; }
  __device__ static bool busy(int queries, int) {
    return group_of_thread() / 2 * 2 * kQueriesOfThread < queries;
  }
  __device__ static T operand(T x) { return x; }
  __device__ static void sync_queries() { __syncwarp(); }
  __device__ static void sync_scores() { __syncthreads(); }
  static constexpr T kUnit = 1;
  __device__ static T exp(T x) { return std::exp(x); }

  /// c[i][j] += Σ_d a[i, d]·b[j, d];  a [queries, D], b [rows, D].
  __device__ static void product_of_rows(Scores& c, const T* a, const T* b) {
    a += group_of_thread() * kQueriesOfThread * Tile::kStride;
    b += column_of_thread() * Tile::kStride;
#pragma unroll 2
    for (int d = 0; d < D; d += kPack<T>) {
      Pack<T> y[kRowsOfThread];
#pragma unroll
      for (int j = 0; j < kRowsOfThread; ++j) {
        y[j] = pack_at(b + j * kColumns * Tile::kStride + d);
      }
#pragma unroll
      for (int i = 0; i < kQueriesOfThread; ++i) {
        const Pack<T> x = pack_at(a + i * Tile::kStride + d);
#pragma unroll
        for (int e = 0; e < kPack<T>; ++e) {
#pragma unroll
          for (int j = 0; j < kRowsOfThread; ++j) {
            c.at[i][j] += x.at[e] * y[j].at[e];
          }
        }
      }
    }
  }

  /// f(Σ_d a[i, d]·band[i + j, d], i, j) for each query i and column j, after then();  a [queries, D], band
  /// [queries + rows, D]. In this product a thread's queries are every 8th, like its columns every 16th: so all
  /// its pairs (i, j) share few rows i + j of the band.
  template <class Then, class F>
  __device__ static void skewed_product(const T* a, const T* band, Then then, F f) {
    constexpr int kI = kQueriesOfThread, kJ = kRowsOfThread, kStep = kColumns / kGroups;
    Scores c;
    a += group_of_thread() * Tile::kStride;
    band += (group_of_thread() + column_of_thread()) * Tile::kStride;
#pragma unroll 1  // more would not fit into the registers
    for (int d = 0; d < D; d += kPack<T>) {
      Pack<T> x[kI];
#pragma unroll
      for (int i = 0; i < kI; ++i) {
        x[i] = pack_at(a + i * kGroups * Tile::kStride + d);
      }
#pragma unroll
      for (int t = 0; t < kI + kStep * (kJ - 1); ++t) {  // row 8·t of the band serves i + 2·j = t
        const Pack<T> y = pack_at(band + t * kGroups * Tile::kStride + d);
#pragma unroll
        for (int j = 0; j < kJ; ++j) {
          const int i = t - kStep * j;
          if (i < 0 || i >= kI) continue;
#pragma unroll
          for (int e = 0; e < kPack<T>; ++e) {
            c.at[i][j] += x[i].at[e] * y.at[e];
          }
        }
      }
    }
    then();
#pragma unroll
    for (int i = 0; i < kI; ++i) {
#pragma unroll
      for (int j = 0; j < kJ; ++j) {
        f(c.at[i][j], group_of_thread() + i * kGroups, column_of_thread() + j * kColumns);
      }
    }
  }

  /// This thread's features of a row of D.
  __device__ static void load_features(T (&features)[D / kColumns], const T* row) {
#pragma unroll
    for (int n = 0; n < D / kColumns; n += kPiece) {
      const Pack<T, kPiece> piece = pack_at<T, kPiece>(row + n * kColumns + column_of_thread() * kPiece);
#pragma unroll
      for (int e = 0; e < kPiece; ++e) {
        features[n + e] = piece.at[e];
      }
    }
  }

  /// Writes this thread's scores into a tile [queries, rows] of shared memory.
  __device__ static void store_scores(const Scores& c, T* scores) {
    scores += group_of_thread() * kQueriesOfThread * Tile::kScoreStride + column_of_thread();
#pragma unroll
    for (int i = 0; i < kQueriesOfThread; ++i) {
#pragma unroll
      for (int j = 0; j < kRowsOfThread; ++j) {
        scores[i * Tile::kScoreStride + j * kColumns] = c.at[i][j];
      }
    }
  }

  /// c[i][d] += Σ_j p[i, j]·b[j, d] over j < depth;  p [queries, rows], each thread's piece, zero from `depth`
  /// on; b [rows, D]. Overwrites those rows of `scratch` [queries, rows] that this warp's queries own.
  __device__ static void product_with_rows(QuerySums& c, const Scores& p, T* scratch, const T* b, int depth) {
    store_scores(p, scratch);
    __syncwarp();
    product_with_rows(c, scratch, b, depth);
  }

  /// c[i][d] += Σ_j p[i, j]·b[j, d] over j < depth;  p [queries, rows], zero from `depth` to the next multiple
  /// of a pack; b [rows, D]. Reads only those rows of p that this warp's queries own.
  __device__ static void product_with_rows(QuerySums& c, const T* p, const T* b, int depth) {
    p += group_of_thread() * kQueriesOfThread * Tile::kScoreStride;
    for (int j = 0; j < depth; j += kPack<T>) {
      Pack<T> x[kQueriesOfThread];
#pragma unroll
      for (int i = 0; i < kQueriesOfThread; ++i) {
        x[i] = pack_at(p + i * Tile::kScoreStride + j);
      }
#pragma unroll
      for (int e = 0; e < kPack<T>; ++e) {
        T y[Tile::kFeaturesOfThread];
        load_features(y, b + (j + e) * Tile::kStride);
#pragma unroll
        for (int i = 0; i < kQueriesOfThread; ++i) {
#pragma unroll
          for (int n = 0; n < Tile::kFeaturesOfThread; ++n) {
            c.at[i][n] += x[i].at[e] * y[n];
          }
        }
      }
    }
  }

  /// c[j][d] += Σ_i p[i, j]·b[i, d] over i < depth;  p [queries, rows], b [queries, D].
  __device__ static void product_with_queries(RowSums& c, const T* p, const T* b, int depth) {
    constexpr int kAtOnce = std::min(kPack<T>, Tile::kRowsOfGroup);
    p += group_of_thread() * Tile::kRowsOfGroup;
#pragma unroll 4
    for (int i = 0; i < depth; ++i) {
      T x[Tile::kRowsOfGroup], y[Tile::kFeaturesOfThread];
#pragma unroll
      for (int j = 0; j < Tile::kRowsOfGroup; j += kAtOnce) {
        const Pack<T, kAtOnce> piece = pack_at<T, kAtOnce>(p + i * Tile::kScoreStride + j);
#pragma unroll
        for (int e = 0; e < kAtOnce; ++e) {
          x[j + e] = piece.at[e];
        }
      }
      load_features(y, b + i * Tile::kStride);
#pragma unroll
      for (int j = 0; j < Tile::kRowsOfGroup; ++j) {
#pragma unroll
        for (int n = 0; n < Tile::kFeaturesOfThread; ++n) {
          c.at[j][n] += x[j] * y[n];
        }
      }
    }
  }
};

}  // namespace fade::span_cuda
