// Scores of a tile (F2), and the element-by-element part of backward (B2 to B6, B11).
#pragma once

#include <cmath>

#include "ops/span_attention/cuda/product.h"

namespace fade::span_cuda {

/// Rows of pos for the ages [age, age + rows): row t of the band is that of distance age + first query + t,
/// zeros where that has none. So query i and age `age + a` meet in row i + a.
template <class P, class T>
__device__ void load_band(const AttentionArrays<T>& x, const QueryTile& queries, int32_t age, T* band) {
  using Tile = typename P::Tile;
  const auto row_of = [&, first = age + queries.first](int t) {
    const int32_t p = x.sizes.position_row(first + t);
    return p < x.positions ? p : -1;
  };
  load_tile<P, Tile::kQueries + Tile::kRows>(x, RowsAt<const T>{x.pos, static_cast<uint32_t>(x.head_size)},
                                             row_of, band);
}

/// f(age) for ages such that the ranges [age, age + rows of a tile) cover all rows of the tile that have
/// position rows: one age for a tile of consecutive rows, none for a tile of older ones. All threads call it.
template <class P, class T, class F>
__device__ void for_each_near(const AttentionArrays<T>& x, const QueryTile& queries,
                              const RowsOfThread<P>& rows, F f) {
  for (int32_t age = kEmptyPlaceAge; (age = rows.next_near(x, queries, age + 1)) != kNoAge;
       age += P::Tile::kRows - 1) {
    f(age);
  }
}

/// The position term of F2: c[i][j] += q_i·pos[the row of δ] where δ has one. `all`: of P::AllRows.
/// `band` [queries + rows, D] and `scores` [queries, rows] are overwritten. Returns whether they were:
/// then other threads may still be reading `scores`.
template <class P, class T>
__device__ bool add_position_scores(const AttentionArrays<T>& x, const QueryTile& queries,
                                    const RowsOfThread<typename P::AllRows>& all, const RowsOfThread<P>& rows,
                                    const T* q, T* band, T* scores, typename P::Scores& c) {
  using Tile = typename P::Tile;
  bool any = false;
  for_each_near<typename P::AllRows>(x, queries, all, [&](int32_t age) {
    any = true;
    __syncthreads();
    load_band<P>(x, queries, age, band);
    __syncthreads();
    P::skewed_product(q, band, [&](T score, int i, int a) { scores[i * Tile::kScoreStride + a] = score; });
    __syncthreads();
#pragma unroll
    for (int j = 0; j < P::kRowsOfThread; ++j) {
      const int a = rows.age[j] - age;
      if (a < 0 || a >= Tile::kRows) continue;
#pragma unroll
      for (int i = 0; i < P::kQueriesOfThread; ++i) {
        c.at[i][j] += scores[P::query(i) * Tile::kScoreStride + a];
      }
    }
  });
  return any;
}

/// lse and delta of the tile's queries, [kQueries] each; zeros beyond them, where q and grad are zeros, too.
template <int kQueries, class T>
__device__ void load_statistics(const AttentionArrays<T>& x, const BackwardInputs<T>& b,
                                const QueryTile& queries, T* lse, T* delta) {
  const int i = static_cast<int>(threadIdx.x);
  if (i >= kQueries) return;
  const int64_t at = x.statistic_offset(queries.stream, queries.first + i, queries.head);
  lse[i] = i < queries.count ? b.lse[at] : T{0};
  delta[i] = i < queries.count ? b.delta[at] : T{0};
}

/// Backward of the softmax of a tile, element by element. On entry `scores` holds s and `dweights` holds
/// dO·v; on return they hold dS and the weights after dropout, g·P. Adds this thread's part of R·de_j to
/// dspan[j]. lse and delta [queries] of the tile's queries are in shared memory.
template <class P, class T>
__device__ void softmax_backward_tile(const AttentionArrays<T>& x, const QueryTile& queries,
                                      const RowsOfThread<P>& rows, const KeptOfThread<P>& kept, bool full,
                                      const T* lse, const T* delta, typename P::Scores& scores,
                                      typename P::Scores& dweights, T* dspan) {
  constexpr int kI = P::kQueriesOfThread;
#pragma unroll
  for (int j = 0; j < P::kRowsOfThread; ++j) {
#pragma unroll
    for (int i = 0; i < kI; ++i) {
      const int query = P::query(i);
      T &score = scores.at[i][j], &dweight = dweights.at[i][j];
      MaskEntry<T> mask{.visible = true, .m = 1, .slope = 0};
      if (!full) mask = mask_at(x.mask, rows.age[j], rows.span[j], queries.first + query);
      // Forward was u = exp(s − h), and den = N + ε·Z; so u/den = exp(s − lse):
      const T u = mask.visible ? P::exp(score - lse[query]) : T{0};  // B2: U
      T p = mask.m * u;                                              // B3: P
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

}  // namespace fade::span_cuda
