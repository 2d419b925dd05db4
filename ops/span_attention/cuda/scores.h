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
  const int64_t at = x.statistic_offset(queries.stream, queries.first + i, queries.head);
  lse[i] = i < queries.count ? P::kUnit * b.lse[at] : T{0};
  delta[i] = i < queries.count ? b.delta[at] : T{0};
}

/// softmax_backward_tile where `full` is known: only then is the mask left out of the code that runs most.
template <bool full, class P, class S, class T, class Kept>
__device__ void softmax_backward(const AttentionArrays<S>& x, const QueryTile& queries,
                                 const TileRows<P>& rows, const Kept& kept, const T* lse, const T* delta,
                                 typename P::Scores& scores, typename P::Scores& dweights, T* dspan) {
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
      // Forward was u = exp(s − h), and den = N + ε·Z; so u/den = exp(s − lse):
      const T u = mask.visible ? P::exp(scale * score - lse[query]) : T{0};  // B2: U
      T p = mask.m * u;                                                      // B3: P
      // Forward was out = Σ g·P·v; so dP = g·(dO·v), and dv takes g·P:
      if (x.kept) {
        const T g = kept.factor(i, j);
        dweight *= g;  // B4: dP
        p *= g;
      }
      // Forward was P = m·u/den with m and u in den, too; so each gradient loses its share of Δ = Σ P·dP:
      const T dm = mask.visible ? u * (dweight - delta[query]) : T{0};  // B5: dM; 0 for an invisible row
      if (mask.slope != 0) dspan[j] += mask.slope * dm;                 // B11: R·de
      score = mask.m * dm - x.epsilon * u * delta[query];               // B6: dS
      dweight = p;
    }
  }
}

/// Backward of the softmax of a tile, element by element. On entry `scores` holds s·√D and `dweights` holds
/// dO·v; on return they hold dS and the weights after dropout, g·P. Adds this thread's part of R·de_j to
/// dspan[j]. lse and delta [queries] of the tile's queries are in shared memory. `full`: no mask is needed.
template <class P, class S, class T, class Kept>
__device__ void softmax_backward_tile(const AttentionArrays<S>& x, const QueryTile& queries,
                                      const TileRows<P>& rows, const Kept& kept, bool full, const T* lse,
                                      const T* delta, typename P::Scores& scores,
                                      typename P::Scores& dweights, T* dspan) {
  if (full)
    softmax_backward<true, P>(x, queries, rows, kept, lse, delta, scores, dweights, dspan);
  else
    softmax_backward<false, P>(x, queries, rows, kept, lse, delta, scores, dweights, dspan);
}

}  // namespace fade::span_cuda
