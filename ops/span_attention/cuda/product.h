// Products of tiles in shared memory, summed in registers. All threads of a block work on one, each on its
// own small piece of the result. These four are all of the arithmetic that grows with head size; the tensor
// cores' versions will be specializations of them.
#pragma once

#include "ops/span_attention/cuda/tiling.h"

namespace fade::span_cuda {

/// A thread's piece of a tile.
template <class T, int kRows, int kColumns_>
struct Fragment {
  T at[kRows][kColumns_] = {};
};

/// Scores of (queries, rows): this thread's queries are consecutive, its rows every 16th.
template <class T, int D>
using ScoreFragment = Fragment<T, Tiling<T, D>::kQueriesOfThread, Tiling<T, D>::kRowsOfThread>;

/// c[i][j] += Σ_d a[i, d]·b[j, d];  a [queries, D], b [rows, D].
template <class T, int D>
__device__ void product_of_rows(ScoreFragment<T, D>& c, const T* a, const T* b) {
  using Tile = Tiling<T, D>;
  a += group_of_thread() * Tile::kQueriesOfThread * Tile::kStride;
  b += column_of_thread() * Tile::kStride;
  FADE_UNROLL_BY(2)
  for (int d = 0; d < D; d += kPack<T>) {
    Pack<T> y[Tile::kRowsOfThread];
    FADE_UNROLL
    for (int j = 0; j < Tile::kRowsOfThread; ++j) y[j] = pack_at(b + j * kColumns * Tile::kStride + d);
    FADE_UNROLL
    for (int i = 0; i < Tile::kQueriesOfThread; ++i) {
      const Pack<T> x = pack_at(a + i * Tile::kStride + d);
      FADE_UNROLL
      for (int e = 0; e < kPack<T>; ++e) FADE_UNROLL
      for (int j = 0; j < Tile::kRowsOfThread; ++j) c.at[i][j] += x.at[e] * y[j].at[e];
    }
  }
}

/// c[i][j] += Σ_d a[i, d]·band[i + j, d];  a [queries, D], band [queries + rows − 1, D]. Here a thread's
/// queries are every 8th, too: then few rows of the band serve all its pairs. Its queries and columns are
/// those of for_each_skewed.
template <class T, int D>
__device__ void skewed_product(ScoreFragment<T, D>& c, const T* a, const T* band) {
  using Tile = Tiling<T, D>;
  constexpr int kI = Tile::kQueriesOfThread, kJ = Tile::kRowsOfThread, kStep = kColumns / kGroups;
  a += group_of_thread() * Tile::kStride;
  band += (group_of_thread() + column_of_thread()) * Tile::kStride;
  for (int d = 0; d < D; d += kPack<T>) {
    Pack<T> x[kI];
    FADE_UNROLL
    for (int i = 0; i < kI; ++i) x[i] = pack_at(a + i * kGroups * Tile::kStride + d);
    FADE_UNROLL
    for (int t = 0; t < kI + kStep * (kJ - 1); ++t) {
      const Pack<T> y = pack_at(band + t * kGroups * Tile::kStride + d);
      FADE_UNROLL
      for (int j = 0; j < kJ; ++j)
        if (const int i = t - kStep * j; i >= 0 && i < kI) FADE_UNROLL
      for (int e = 0; e < kPack<T>; ++e) c.at[i][j] += x[i].at[e] * y.at[e];
    }
  }
}

/// f(element of c, query, column) for the elements of a skewed product.
template <class T, int D, class F>
__device__ void for_each_skewed(const ScoreFragment<T, D>& c, F f) {
  FADE_UNROLL
  for (int i = 0; i < Tiling<T, D>::kQueriesOfThread; ++i) FADE_UNROLL
  for (int j = 0; j < Tiling<T, D>::kRowsOfThread; ++j)
    f(c.at[i][j], group_of_thread() + i * kGroups, column_of_thread() + j * kColumns);
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
  FADE_UNROLL
  for (int n = 0; n < D / kColumns; n += kPiece) {
    const Pack<T, kPiece> piece = pack_at<T, kPiece>(row + n * kColumns + column_of_thread() * kPiece);
    FADE_UNROLL
    for (int e = 0; e < kPiece; ++e) features[n + e] = piece.at[e];
  }
}

/// c[i][d] += Σ_j p[i, j]·b[j, d] over j < depth;  p [queries, rows], zero from `depth` to the next multiple
/// of a pack; b [rows, D]. Reads those rows of p that this warp's queries own.
template <class T, int D>
__device__ void product_with_rows(QueryFragment<T, D>& c, const T* p, const T* b, int depth) {
  using Tile = Tiling<T, D>;
  p += group_of_thread() * Tile::kQueriesOfThread * Tile::kScoreStride;
  for (int j = 0; j < depth; j += kPack<T>) {
    Pack<T> x[Tile::kQueriesOfThread];
    FADE_UNROLL
    for (int i = 0; i < Tile::kQueriesOfThread; ++i) x[i] = pack_at(p + i * Tile::kScoreStride + j);
    FADE_UNROLL
    for (int e = 0; e < kPack<T>; ++e) {
      T y[Tile::kFeaturesOfThread];
      load_features<T, D>(y, b + (j + e) * Tile::kStride);
      FADE_UNROLL
      for (int i = 0; i < Tile::kQueriesOfThread; ++i) FADE_UNROLL
      for (int n = 0; n < Tile::kFeaturesOfThread; ++n) c.at[i][n] += x[i].at[e] * y[n];
    }
  }
}

/// c[j][d] += Σ_i p[i, j]·b[i, d] over i < depth;  p [queries, rows], b [queries, D].
template <class T, int D>
__device__ void product_with_queries(RowFragment<T, D>& c, const T* p, const T* b, int depth) {
  using Tile = Tiling<T, D>;
  constexpr int kPiece = std::min(kPack<T>, Tile::kRowsOfGroup);
  p += group_of_thread() * Tile::kRowsOfGroup;
  FADE_UNROLL_BY(4)
  for (int i = 0; i < depth; ++i) {
    T x[Tile::kRowsOfGroup], y[Tile::kFeaturesOfThread];
    FADE_UNROLL
    for (int j = 0; j < Tile::kRowsOfGroup; j += kPiece) {
      const Pack<T, kPiece> piece = pack_at<T, kPiece>(p + i * Tile::kScoreStride + j);
      FADE_UNROLL
      for (int e = 0; e < kPiece; ++e) x[j + e] = piece.at[e];
    }
    load_features<T, D>(y, b + i * Tile::kStride);
    FADE_UNROLL
    for (int j = 0; j < Tile::kRowsOfGroup; ++j) FADE_UNROLL
    for (int n = 0; n < Tile::kFeaturesOfThread; ++n) c.at[j][n] += x[j] * y[n];
  }
}

}  // namespace fade::span_cuda
