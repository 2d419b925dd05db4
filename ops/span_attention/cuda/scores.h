// Scores of a tile (F2), and the element-by-element part of backward (B2 to B6, B11).
#pragma once

#include <cmath>

#include "ops/span_attention/cuda/product.h"

namespace fade::span_cuda {

/// Starts to load (start_tile) the rows of pos for the ages [age, age + rows): row t of the band is that of distance
/// age + first query + t, zeros where that has none. So query i and age `age + a` meet in row i + a.
template <class P, class S>
__device__ void start_band(const AttentionArrays<S>& x, const QueryTile& queries, int32_t age, S* band) {
  constexpr int kRows = P::Tile::kQueries + P::Tile::kRows;
  const RowsAt<const S> from{x.pos, static_cast<uint32_t>(x.head_size)};
  const int32_t first = age + queries.first, positions = x.positions;
  if (P::kLoadsAhead && x.whole_packs && !x.sizes.slots.count) {  // without the division of position_row
    const auto row_of = [=](int t) { return first + t <= positions ? first + t - 1 : -1; };
    return copy_tile<P, kRows>(x, from, row_of, band);
  }
  const auto row_of = [&](int t) {
    const int32_t p = x.sizes.position_row(first + t);
    return p < positions ? p : -1;
  };
  start_tile<P, kRows>(x, from, row_of, band);
}
/// The same, and it is there when all threads have met.
template <class P, class S>
__device__ void load_band(const AttentionArrays<S>& x, const QueryTile& queries, int32_t age, S* band) {
  start_band<P>(x, queries, age, band);
  if constexpr (P::kLoadsAhead) {
    close_copies();
    wait_for_copies<0>();
  }
}

/// The position term of F2: c[i][j] += q_i·pos[the row of δ] where δ has one, of the ranges of ages
/// [age, age + rows), where age is first `near`, then the next row's that has a position row and is in no range
/// before; kNoAge ends them. `loaded`: whether `band` [queries + rows, D] is that of `near`. `band` and `scores`
/// [queries, rows], which may be in its place, are overwritten; other threads may still be reading `scores` after it.
template <class P, class S, class T>
__device__ void add_position_scores(const AttentionArrays<S>& x, const QueryTile& queries,
                                    const TileRows<P>& rows, int32_t near, bool loaded, const S* q, S* band,
                                    T* scores, typename P::Scores& c) {
  using Tile = typename P::Tile;
  for (int32_t age = near; age != kNoAge; age = rows.next_near(x, queries, age + Tile::kRows)) {
    if (!loaded || age != near) {
      __syncthreads();
      load_band<P>(x, queries, age, band);
      __syncthreads();
    }
    P::skewed_product(
        q, band,
        [&] {
          if (static_cast<const void*>(band) == scores) __syncthreads();
        },
        [&](T score, int i, int a) { scores[i * Tile::kScoreStride + a] = score; });
    P::sync_scores();
#pragma unroll
    for (int j = 0; j < P::kRowsOfThread; ++j) {
      const int a = rows.age[P::row(j)] - age;
      if (a < 0 || a >= Tile::kRows) continue;
#pragma unroll
      for (int i = 0; i < P::kQueriesOfThread; ++i) {
        c.at[i][j] += scores[P::query(i) * Tile::kScoreStride + a];
      }
    }
  }
}

/// lse, in units of P::kUnit, and delta of the tile's queries, [queries] each; zeros beyond them, where q and grad
/// are zeros, too.
template <class P, class S, class T>
__device__ void load_statistics(const AttentionArrays<S>& x, const BackwardInputs<S>& b,
                                const QueryTile& queries, T* lse, T* delta) {
  const int i = static_cast<int>(threadIdx.x);
  if (i >= P::Tile::kQueries) return;
  // statistic_offset, with fewer registers
  const int64_t at = int64_t{queries.stream * x.heads + queries.head} * x.block + queries.first + i;
  lse[i] = i < queries.count ? P::kUnit * b.lse[at] : T{0};
  delta[i] = i < queries.count ? b.delta[at] : T{0};
}

/// softmax_backward_tile. `full`: no mask is needed. `dropout`: there may be dropout (without, all bits are set and the
/// factor is 1). So the code that runs most has no branches.
template <bool full, bool dropout, class P, class S, class T>
__device__ void softmax_backward(const AttentionArrays<S>& x, const QueryTile& queries,
                                 const TileRows<P>& rows, const KeptOfTile<P>& kept, const T* lse,
                                 const T* delta, typename P::Scores& scores, typename P::Scores& dweights,
                                 T* dspan) {
  const T scale = P::kUnit * x.scale;
  constexpr int kI = P::kQueriesOfThread;
#pragma unroll
  for (int j = 0; j < P::kRowsOfThread; ++j) {
#pragma unroll
    for (int i = 0; i < kI; ++i) {
      const int query = P::query(i);
      T &score = scores.at[i][j], &dweight = dweights.at[i][j];
      MaskEntry<T> mask{.visible = true, .m = 1, .slope = 0};
      if constexpr (!full)
        mask = mask_at(x.mask, rows.age[P::row(j)], rows.span[P::row(j)], queries.first + query);
      // Forward was u = exp(s − h), and den = N + ε·Z; so u/den = exp(s − lse), and 0 for an invisible row:
      const T u = mask.visible ? P::exp(scale * score - lse[query]) : T{0};  // B2: U
      // Forward was out = Σ g·P·v, and P = m·u/den with m and u in den, too; so dP = g·(dO·v), and each gradient
      // loses its share of Δ = Σ P·dP:
      const T gu = dropout ? kept.factor(i, j) * u : u, du = u * delta[query];
      const T dm = mask.visible ? gu * dweight - du : T{0};  // B4, B5: dM
      if (mask.slope != 0) dspan[j] += mask.slope * dm;      // B11: R·de
      score = mask.m * dm - x.epsilon * du;                  // B6: dS
      dweight = mask.m * gu;                                 // B3: g·P
    }
  }
}

/// Backward of the softmax of a tile, element by element. On entry `scores` holds s·√D and `dweights` holds
/// dO·v; on return they hold dS and the weights after dropout, g·P. Adds this thread's part of R·de_j to
/// dspan[j]. lse and delta [queries] of the tile's queries are in shared memory. `full`: no mask is needed.
template <class P, class S, class T>
__device__ void softmax_backward_tile(const AttentionArrays<S>& x, const QueryTile& queries,
                                      const TileRows<P>& rows, const KeptOfTile<P>& kept, bool full,
                                      const T* lse, const T* delta, typename P::Scores& scores,
                                      typename P::Scores& dweights, T* dspan) {
  const auto backward = [&]<bool all, bool dropout>() {
    softmax_backward<all, dropout, P>(x, queries, rows, kept, lse, delta, scores, dweights, dspan);
  };
  if (!full)
    backward.template operator()<false, true>();
  else if (x.kept)
    backward.template operator()<true, true>();
  else
    backward.template operator()<true, false>();
}

}  // namespace fade::span_cuda
