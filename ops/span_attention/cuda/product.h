// Products of tiles in shared memory, summed in registers. All threads of a thread block take part, each with
// its own piece of the result, a fragment. These four products are all of the arithmetic that grows with the
// head size; a tensor-core version would replace them and their fragments.
//
// Which thread (x, y), x = thread % 16, y = thread / 16, owns which elements of a tile of 64 queries ×
// 64 rows of 64 features:
//
//   ScoreFragment [8][4]: 8 consecutive queries, every 16th row
//
//           rows   0      1    …    15     16     17   …    31     32   …    63
//   queries  0–7   (0,0)  (1,0)  …  (15,0) (0,0)  (1,0)  …  (15,0) (0,0)  …  (15,0)  ┐ warp 0
//            8–15  (0,1)  (1,1)  …  (15,1) (0,1)  (1,1)  …  (15,1) (0,1)  …  (15,1)  ┘
//            …
//           56–63  (0,7)  (1,7)  …  (15,7) (0,7)  (1,7)  …  (15,7) (0,7)  …  (15,7)    warp 3
//
//   QueryFragment [8][4]: 8 consecutive queries,       RowFragment [8][4]: 8 consecutive rows,
//                         4 consecutive features                           4 consecutive features
//
//       features   0–3    4–7   …  60–63                   features   0–3    4–7   …  60–63
//   queries  0–7   (0,0)  (1,0)  …  (15,0)                 rows 0–7   (0,0)  (1,0)  …  (15,0)
//            8–15  (0,1)  (1,1)  …  (15,1)                      8–15  (0,1)  (1,1)  …  (15,1)
//            …                                                  …
//
// The scores of one query are in one half warp, which therefore finds their maximum and sums with shuffles.
// The queries of a warp's ScoreFragments are those of its QueryFragments, so that weights·values needs no
// barrier wider than a warp.
//
// Loops over a fragment are unrolled as a whole: only then are all its indices constants, and the fragment
// stays in registers.
#pragma once

#include "ops/span_attention/cuda/load.h"

namespace fade::span_cuda {

/// A thread's piece of a tile.
template <class T, int kRows, int kColumns_>
struct Fragment {
  T at[kRows][kColumns_] = {};
};

/// A thread's scores of a tile [queries, rows]: its queries are consecutive, its rows every 16th.
template <class T, int D>
using ScoreFragment = Fragment<T, Tiling<T, D>::kQueriesOfThread, Tiling<T, D>::kRowsOfThread>;

/// c[i][j] += Σ_d a[i, d]·b[j, d];  a [queries, D], b [rows, D].
template <class T, int D>
__device__ void product_of_rows(ScoreFragment<T, D>& c, const T* a, const T* b) {
  using Tile = Tiling<T, D>;
  a += group_of_thread() * Tile::kQueriesOfThread * Tile::kStride;
  b += column_of_thread() * Tile::kStride;
#pragma unroll 2
  for (int d = 0; d < D; d += kPack<T>) {
    Pack<T> y[Tile::kRowsOfThread];
#pragma unroll
    for (int j = 0; j < Tile::kRowsOfThread; ++j) {
      y[j] = pack_at(b + j * kColumns * Tile::kStride + d);
    }
#pragma unroll
    for (int i = 0; i < Tile::kQueriesOfThread; ++i) {
      const Pack<T> x = pack_at(a + i * Tile::kStride + d);
#pragma unroll
      for (int e = 0; e < kPack<T>; ++e) {
#pragma unroll
        for (int j = 0; j < Tile::kRowsOfThread; ++j) {
          c.at[i][j] += x.at[e] * y[j].at[e];
        }
      }
    }
  }
}

/// c[i][j] += Σ_d a[i, d]·band[i + j, d];  a [queries, D], band [queries + rows − 1, D]. In this product a
/// thread's queries are every 8th, like its rows every 16th: so all its pairs (i, j) share few rows i + j of
/// the band. Its queries and columns are those of for_each_skewed.
template <class T, int D>
__device__ void skewed_product(ScoreFragment<T, D>& c, const T* a, const T* band) {
  using Tile = Tiling<T, D>;
  constexpr int kI = Tile::kQueriesOfThread, kJ = Tile::kRowsOfThread, kStep = kColumns / kGroups;
  a += group_of_thread() * Tile::kStride;
  band += (group_of_thread() + column_of_thread()) * Tile::kStride;
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
}

/// f(element of c, query, column) for the elements of a skewed product.
template <class T, int D, class F>
__device__ void for_each_skewed(const ScoreFragment<T, D>& c, F f) {
#pragma unroll
  for (int i = 0; i < Tiling<T, D>::kQueriesOfThread; ++i) {
#pragma unroll
    for (int j = 0; j < Tiling<T, D>::kRowsOfThread; ++j) {
      f(c.at[i][j], group_of_thread() + i * kGroups, column_of_thread() + j * kColumns);
    }
  }
}

/// A thread's piece of a tile [queries, D] or [rows, D]: consecutive queries or rows, and some features.
template <class T, int D>
using QueryFragment = Fragment<T, Tiling<T, D>::kQueriesOfThread, Tiling<T, D>::kFeaturesOfThread>;
template <class T, int D>
using RowFragment = Fragment<T, Tiling<T, D>::kRowsOfGroup, Tiling<T, D>::kFeaturesOfThread>;

/// This thread's features of a row of D.
template <class T, int D>
__device__ void load_features(T (&features)[D / kColumns], const T* row) {
  constexpr int kPiece = Tiling<T, D>::kPiece;
#pragma unroll
  for (int n = 0; n < D / kColumns; n += kPiece) {
    const Pack<T, kPiece> piece = pack_at<T, kPiece>(row + n * kColumns + column_of_thread() * kPiece);
#pragma unroll
    for (int e = 0; e < kPiece; ++e) {
      features[n + e] = piece.at[e];
    }
  }
}

/// c[i][d] += Σ_j p[i, j]·b[j, d] over j < depth;  p [queries, rows], zero from `depth` to the next multiple
/// of a pack; b [rows, D]. Reads only those rows of p that this warp's queries own.
template <class T, int D>
__device__ void product_with_rows(QueryFragment<T, D>& c, const T* p, const T* b, int depth) {
  using Tile = Tiling<T, D>;
  p += group_of_thread() * Tile::kQueriesOfThread * Tile::kScoreStride;
  for (int j = 0; j < depth; j += kPack<T>) {
    Pack<T> x[Tile::kQueriesOfThread];
#pragma unroll
    for (int i = 0; i < Tile::kQueriesOfThread; ++i) {
      x[i] = pack_at(p + i * Tile::kScoreStride + j);
    }
#pragma unroll
    for (int e = 0; e < kPack<T>; ++e) {
      T y[Tile::kFeaturesOfThread];
      load_features<T, D>(y, b + (j + e) * Tile::kStride);
#pragma unroll
      for (int i = 0; i < Tile::kQueriesOfThread; ++i) {
#pragma unroll
        for (int n = 0; n < Tile::kFeaturesOfThread; ++n) {
          c.at[i][n] += x[i].at[e] * y[n];
        }
      }
    }
  }
}

/// c[j][d] += Σ_i p[i, j]·b[i, d] over i < depth;  p [queries, rows], b [queries, D].
template <class T, int D>
__device__ void product_with_queries(RowFragment<T, D>& c, const T* p, const T* b, int depth) {
  using Tile = Tiling<T, D>;
  constexpr int kPiece = std::min(kPack<T>, Tile::kRowsOfGroup);
  p += group_of_thread() * Tile::kRowsOfGroup;
#pragma unroll 4
  for (int i = 0; i < depth; ++i) {
    T x[Tile::kRowsOfGroup], y[Tile::kFeaturesOfThread];
#pragma unroll
    for (int j = 0; j < Tile::kRowsOfGroup; j += kPiece) {
      const Pack<T, kPiece> piece = pack_at<T, kPiece>(p + i * Tile::kScoreStride + j);
#pragma unroll
      for (int e = 0; e < kPiece; ++e) {
        x[j + e] = piece.at[e];
      }
    }
    load_features<T, D>(y, b + i * Tile::kStride);
#pragma unroll
    for (int j = 0; j < Tile::kRowsOfGroup; ++j) {
#pragma unroll
      for (int n = 0; n < Tile::kFeaturesOfThread; ++n) {
        c.at[j][n] += x[j] * y[n];
      }
    }
  }
}

}  // namespace fade::span_cuda
