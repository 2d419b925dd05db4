// Scores of a tile, and what follows from them element by element. For the CUDA kernels of span attention.
#pragma once

#include <cmath>

#include "ops/span_attention/cuda/mask.h"
#include "ops/span_attention/cuda/product.h"

namespace fade::span_cuda {

template <class T, int D>
using TileRows = RowsOfThread<T, Tiling<T, D>::kRowsOfThread>;

/// Writes this thread's scores into a tile [queries, rows].
template <class T, int D>
__device__ void store_scores(const ScoreFragment<T, D>& c, T* scores) {
  using Tile = Tiling<T, D>;
  scores += group_of_thread() * Tile::kQueriesOfThread * Tile::kScoreStride + column_of_thread();
  FADE_UNROLL
  for (int i = 0; i < Tile::kQueriesOfThread; ++i) FADE_UNROLL
  for (int j = 0; j < Tile::kRowsOfThread; ++j) scores[i * Tile::kScoreStride + j * kColumns] = c.at[i][j];
}

/// Rows of pos for the ages [age, age + rows): band row t is that of distance age + first query + t, zeros
/// where it has none. So query i and age `age + a` meet in band row i + a.
template <class T, int D>
__device__ void load_band(const Arrays<T>& x, const Queries& queries, int32_t age, T* band) {
  using Tile = Tiling<T, D>;
  const int64_t first = int64_t{age} + queries.first;
  load_tile<T, D, Tile::kQueries + Tile::kRows>(
      x, band, [&](int t) { return x.position(x.pos, x.sizes.position_row(first + t)); });
}

/// f(age) for ages such that [age, age + rows of a tile) cover all rows of the tile that have position rows:
/// one age for a tile of consecutive rows, none for a tile of older ones. All threads call it.
template <class T, int D, class F>
__device__ void for_each_near(const Arrays<T>& x, const Queries& queries, const TileRows<T, D>& rows, F f) {
  for (int32_t age = kNoRow; (age = rows.next_near(x, queries, age + 1)) != kNoAge;
       age += Tiling<T, D>::kRows - 1)
    f(age);
}

/// c += q_i·pos[the row of δ] where δ has one. `band` [queries + rows, D] and `scores` [queries, rows] are
/// overwritten. Returns whether they were: then other threads may still be reading `scores`.
template <class T, int D>
__device__ bool add_position_scores(const Arrays<T>& x, const Queries& queries, const TileRows<T, D>& rows,
                                    const T* q, T* band, T* scores, ScoreFragment<T, D>& c) {
  using Tile = Tiling<T, D>;
  bool any = false;
  for_each_near<T, D>(x, queries, rows, [&](int32_t age) {
    any = true;
    __syncthreads();
    load_band<T, D>(x, queries, age, band);
    __syncthreads();
    ScoreFragment<T, D> by_age;
    skewed_product<T, D>(by_age, q, band);
    for_each_skewed<T, D>(by_age, [&](T score, int i, int a) { scores[i * Tile::kScoreStride + a] = score; });
    __syncthreads();
    const T* mine = scores + group_of_thread() * Tile::kQueriesOfThread * Tile::kScoreStride;
    FADE_UNROLL
    for (int j = 0; j < Tile::kRowsOfThread; ++j)
      if (const int a = rows.age[j] - age; a >= 0 && a < Tile::kRows) FADE_UNROLL
    for (int i = 0; i < Tile::kQueriesOfThread; ++i) c.at[i][j] += mine[i * Tile::kScoreStride + a];
  });
  return any;
}

/// What forward saved of the tile's queries, [kQueries] each; zeros beyond them, where q and grad are zeros,
/// too.
template <int kQueries, class T>
__device__ void load_sums(const Arrays<T>& x, const Saved<T>& saved, const Queries& queries, T* log_sum,
                          T* delta) {
  const int i = static_cast<int>(threadIdx.x);
  if (i >= kQueries) return;
  const int64_t at = x.sum_offset(queries.stream, queries.first + i, queries.head);
  log_sum[i] = i < queries.count ? saved.log_sum[at] : T{0};
  delta[i] = i < queries.count ? saved.delta[at] : T{0};
}

/// Backward, element by element. Turns scores into their gradient dS, and dweights, which is dO·v, into the
/// weights after dropout; adds to dspan[j] this thread's part of R·de_j. log_sum and delta [queries]: of the
/// tile's queries, in shared memory.
template <class T, int D>
__device__ void soften_backward(const Arrays<T>& x, const Queries& queries, const TileRows<T, D>& rows,
                                bool full, const T* log_sum, const T* delta, ScoreFragment<T, D>& scores,
                                ScoreFragment<T, D>& dweights, T* dspan) {
  constexpr int kI = Tiling<T, D>::kQueriesOfThread;
  const int own = group_of_thread() * kI, first = queries.first + own;
  FADE_UNROLL
  for (int j = 0; j < Tiling<T, D>::kRowsOfThread; ++j) {
    T kept[kI] = {};
    if (x.dropout) draw_dropout(x, queries, rows.age[j], first, kept);
    FADE_UNROLL
    for (int i = 0; i < kI; ++i) {
      T &score = scores.at[i][j], &dweight = dweights.at[i][j];
      Look<T> at{true, false, 1};
      if (!full) at = look(x, rows.age[j], rows.span[j], first + i);
      const T u = at.seen ? std::exp(score - log_sum[own + i]) : T{0};
      T weight = at.m * u;
      if (x.dropout) {
        dweight *= kept[i];
        weight *= kept[i];
      }
      const T dm = at.seen ? u * (dweight - delta[own + i]) : T{0};  // (whatever the row's value is)
      if (at.on_ramp) dspan[j] += dm;
      score = at.m * dm - x.epsilon * u * delta[own + i];
      dweight = weight;
    }
  }
}

}  // namespace fade::span_cuda
