// Forward: each thread block works on a tile of queries of one head, and loops over the rows that they see.
#include <limits>

#include "ops/span_attention/cuda/launch.h"
#include "ops/span_attention/cuda/scores.h"

namespace fade::span_cuda {
namespace {

/// Arrays in the thread block's shared memory.
template <class P>
struct Buffers {
  using S = typename P::S;
  using T = typename P::T;
  using Tile = typename P::Tile;
  SharedLayout shared;
  FADE_HD constexpr explicit Buffers(unsigned char* base) : shared(base) {}
  S* q = shared.array<S>(Tile::kQueryTile);
  S* keys = shared.array<S>(Tile::kRowTile);
  S* values = shared.array<S>(Tile::kRowTile);
  /// Position rows, then scores by age; without P::kLoadsAhead scores by age, then weights.
  S* band_or_scores = shared.array<S>(room_for<S, T>(P::kLoadsAhead ? Tile::kBand : 0, Tile::kScoreTile));
  static constexpr int kPlaces = VisibleRowQueue<P>::kPlaces;
  TileRows<P> queue{shared.array<int32_t>(kPlaces), shared.array<int32_t>(kPlaces), shared.array<T>(kPlaces)};
  int32_t* counts = shared.array<int32_t>(kWarps);
  uint32_t* kept = shared.array<uint32_t>(KeptOfTile<P>::kPlaces);
  static_assert(Tile::kBand <= 2 * Tile::kRowTile);
  /// Position rows: where they are not loaded ahead, in the place of keys and values.
  __device__ S* band() const { return P::kLoadsAhead ? band_or_scores : keys; }
  __device__ T* scores() const { return reinterpret_cast<T*>(band_or_scores); }
};

/// Online softmax of this thread's queries: h (the largest score so far, in units of P::kUnit), and Z and N (F4)
/// over this thread's own rows.
template <class P>
struct OnlineSoftmax {
  using S = typename P::S;
  using T = typename P::T;
  static constexpr int kI = P::kQueriesOfThread, kJ = P::kRowsOfThread;
  static constexpr T kLowest = -1e30f;
  T row_max[kI], masked_sum_exp[kI] = {}, sum_exp[kI] = {};

  __device__ OnlineSoftmax() {
    for (T& h : row_max) h = kLowest;
  }

  /// Turns a tile's scores s·√D into m·u. Each query's h rises to the tile's maximum h', and its sums so far are
  /// multiplied by exp(h − h'). `full`: no mask is needed.
  __device__ void step(const AttentionArrays<S>& x, int first_query, const TileRows<P>& rows, bool full,
                       typename P::Scores& scores, typename P::QuerySums& out) {
    if (full)
      step<true>(x, first_query, rows, scores, out);
    else
      step<false>(x, first_query, rows, scores, out);
  }

  /// N + ε·Z of query i; 0 if it sees nothing.
  __device__ T denominator(int i, T epsilon) const {
    return warp_reduce<P::kRowLanes>(masked_sum_exp[i], Sum{}) +
           epsilon * warp_reduce<P::kRowLanes>(sum_exp[i], Sum{});
  }

 private:
  template <bool full>
  __device__ void step(const AttentionArrays<S>& x, int first_query, const TileRows<P>& rows,
                       typename P::Scores& scores, typename P::QuerySums& out) {
    const T scale = P::kUnit * x.scale;
#pragma unroll
    for (int i = 0; i < kI; ++i) {
      const int query = first_query + P::query(i);
      T m[kJ], top = -std::numeric_limits<T>::infinity();
#pragma unroll
      for (int j = 0; j < kJ; ++j) {
        m[j] = 1;
        if constexpr (!full) {
          const MaskEntry<T> mask = mask_at(x.mask, rows.age[P::row(j)], rows.span[P::row(j)], query);
          m[j] = mask.m;
          if (!mask.visible) scores.at[i][j] = -std::numeric_limits<T>::infinity();  // so u = 0
        }
        top = std::max(top, scores.at[i][j]);
      }
      top = std::max(row_max[i], scale * top);
      top = warp_reduce<P::kRowLanes>(top, Max{});
      const T rescale = P::exp(row_max[i] - top);
      row_max[i] = top;
      sum_exp[i] *= rescale;
      masked_sum_exp[i] *= rescale;
      for (T& o : out.at[i]) o *= rescale;
      T z = 0, n = 0;  // the tile's part of F4
#pragma unroll
      for (int j = 0; j < kJ; ++j) {
        const T u = P::exp(scale * scores.at[i][j] - top);  // F3
        scores.at[i][j] = m[j] * u;
        z += u;
        if constexpr (!full) n += scores.at[i][j];
      }
      sum_exp[i] += z;
      masked_sum_exp[i] += full ? z : n;
    }
  }
};

/// weights *= g
template <class P>
__device__ void apply_dropout(const KeptOfTile<P>& kept, typename P::Scores& weights) {
#pragma unroll
  for (int j = 0; j < P::kRowsOfThread; ++j) {
#pragma unroll
    for (int i = 0; i < P::kQueriesOfThread; ++i) {
      weights.at[i][j] *= kept.factor(i, j);
    }
  }
}

/// The keys, and the position rows of the ages from `near` on, of a tile that is next.
template <class P, class S, class F>
__device__ void start_keys(const AttentionArrays<S>& x, const QueryTile& queries, F row_of, int32_t near,
                           const Buffers<P>& s) {
  start_tile<P, P::Tile::kRows>(x, x.keys(x.kv, queries.head), row_of, s.keys);
  if (near != kNoAge) start_band<P>(x, queries, near, s.band());
  close_copies();
}

// With P::kLoadsAhead the values of a tile arrive while its scores are computed, and the keys of the next tile
// while the values are multiplied; two barriers per tile keep them apart.
template <class P, class S = typename P::S>
__global__ void __launch_bounds__(kThreads, P::kResidentForward)
    forward(AttentionArrays<S> x, S* out, compute_t<S>* lse) {
  using T = typename P::T;
  using Tile = typename P::Tile;
  constexpr bool kAhead = P::kLoadsAhead;
  const auto s = shared_buffers<Buffers<P>>();
  const QueryTile queries = query_tile(x, blockIdx.x, Tile::kQueries);
  const bool busy = P::busy(queries.count, Tile::kRows);
  load_queries<P>(x, queries, x.q, s.q);
  typename P::QuerySums sum_of_values;  // O
  OnlineSoftmax<P> softmax;
  VisibleRowQueue<P> visible(x, queries, s.queue, s.counts);
  bool more = visible.fill();
  int32_t next_near = kNoAge;
  const auto begin_tile = [&] {  // the queue's
    const TileRows<P> rows = visible.tile();
    next_near = rows.next_near(x, queries, kEmptyPlaceAge + 1);
    if constexpr (kAhead)
      start_keys<P>(
          x, queries, [=](int j) { return rows.row(j); }, next_near, s);
  };
  if (more) begin_tile();
  while (more) {
    const TileRows<P> rows = visible.tile();
    const auto row_of = [=](int j) { return rows.row(j); };
    const int32_t near = next_near;
    const bool full = rows.full();
    const auto begin_next = [&] {
      visible.pop();
      more = visible.fill();
      if (more) begin_tile();
    };
    const KeptOfTile<P> kept(x, queries, s.kept);
    uint32_t kept_word = 0;
    if constexpr (kAhead) {
      wait_for_copies<0>();
      __syncthreads();  // the keys and the band are there; the values before are no longer needed
      start_tile<P, Tile::kRows>(x, x.values(x.kv, queries.head), row_of, s.values);
      close_copies();
      kept_word = KeptOfTile<P>::load(x, queries, rows);
    }
    typename P::Scores scores;
    add_position_scores<P>(x, queries, rows, near, kAhead, s.q, s.band(), s.scores(),
                           scores);  // F2, second term
    if constexpr (!kAhead) {
      __syncthreads();
      kept_word = KeptOfTile<P>::load(x, queries, rows);
      load_keys_and_values<P>(x, queries.head, row_of, s.keys, s.values);
      kept.put(kept_word);
      __syncthreads();
    }
    if (busy) P::product_of_rows(scores, s.q, s.keys);  // F2, first term
    if constexpr (kAhead) {
      kept.put(kept_word);
      wait_for_copies<0>();
      __syncthreads();  // the values are there; the keys and the band are no longer needed
      begin_next();
    }
    if (busy) {
      softmax.step(x, queries.first, rows, full, scores, sum_of_values);
      if (x.kept) apply_dropout(kept, scores);
      P::product_with_rows(sum_of_values, scores, s.scores(), s.values, Tile::kRows);  // F5
    }
    if constexpr (!kAhead) begin_next();
  }

  __syncthreads();
#pragma unroll
  for (int i = 0; i < P::kQueriesOfThread; ++i) {
    const T denominator = softmax.denominator(i, x.epsilon);
    const bool any = denominator > 0;
    put_features<P>(s.q + P::query(i) * Tile::kStride, sum_of_values.at[i],
                    any ? 1 / denominator : T{0});  // F6; O replaces q
    if (P::stores(i) && P::first_of_row_lanes() && P::query(i) < queries.count)
      lse[x.statistic_offset(queries.stream, queries.first + P::query(i), queries.head)] =
          any ? softmax.row_max[i] / P::kUnit + std::log(denominator) : T{0};  // F7
  }
  __syncthreads();
  store_queries<P>(x, queries, s.q, out);
}

}  // namespace

template <class S>
void launch_forward(const AttentionArrays<S>& x, S* out, compute_t<S>* lse) {
  for_products(x, [&]<class P>() {
    launch("span_attention forward", forward<P>, static_cast<unsigned>(query_tiles(x, P::Tile::kQueries)),
           kThreads, shared_bytes<Buffers<P>>(), x, out, lse);
  });
}
template void launch_forward(const AttentionArrays<float>&, float*, float*);
template void launch_forward(const AttentionArrays<double>&, double*, double*);
template void launch_forward(const AttentionArrays<bf16>&, bf16*, float*);

}  // namespace fade::span_cuda
