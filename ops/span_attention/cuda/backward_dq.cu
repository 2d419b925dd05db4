// Backward to queries and positions (dq, dpos): each thread block works on a tile of queries of one head, and
// loops over the rows that they see, as in forward. With positions, a thread block works on several tiles,
// one after the other, so that the parts of dpos stay few.
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
  static constexpr int kStages = P::kLoadsAhead ? 2 : 1;  ///< tiles of keys and values
  S* q = shared.array<S>(Tile::kQueryTile);
  S* grad = shared.array<S>(Tile::kQueryTile);
  S* keys = shared.array<S>(kStages * Tile::kRowTile);
  S* values = shared.array<S>(kStages * Tile::kRowTile);
  S* own_band = shared.array<S>(P::kLoadsAhead ? Tile::kBand : 0);
  /// Scores by age, then weights, then dS by distance, an operand.
  S* by_distance = shared.array<S>(room_for<S, T>(Tile::kQueries * Tile::kOperandStride, Tile::kScoreTile));
  T* lse = shared.array<T>(Tile::kQueries);
  T* delta = shared.array<T>(Tile::kQueries);
  static constexpr int kPlaces = VisibleRowQueue<P>::kPlaces;
  TileRows<P> queue{shared.array<int32_t>(kPlaces), shared.array<int32_t>(kPlaces), shared.array<T>(kPlaces)};
  int32_t* counts = shared.array<int32_t>(kWarps);
  uint32_t* kept = shared.array<uint32_t>(kStages * KeptOfTile<P>::kPlaces);
  static_assert(Tile::kBand <= 2 * Tile::kRowTile);
  /// Position rows: where they are not loaded ahead, in the place of keys and values.
  __device__ S* band() const { return P::kLoadsAhead ? own_band : keys; }
  __device__ T* scores() const { return reinterpret_cast<T*>(by_distance); }
};

/// to[i, t] = dS of query i and the row at distance `nearest` + t, 0 where there is none, for t < kDistances; of the
/// rows with ages in [age, age + rows of a tile). Each warp writes the queries that it stores, which are consecutive,
/// and has all of its queries then.
template <class P, class S>
__device__ void store_by_distance(const QueryTile& queries, const TileRows<P>& rows,
                                  const typename P::Scores& dscores, int32_t age, int32_t nearest, S* to) {
  using Tile = typename P::Tile;
  constexpr int kOfWarp = Tile::kQueries / kWarps * Tile::kOperandStride;
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  static_assert(kOfWarp % kPack<S> == 0);
  __syncwarp();
  for (int n = lane * kPack<S>; n < kOfWarp; n += kWarp * kPack<S>)
    put_pack(to + warp * kOfWarp + n, Pack<S>{});
  __syncwarp();
#pragma unroll
  for (int j = 0; j < P::kRowsOfThread; ++j) {
    const int32_t of_row = rows.age[P::row(j)];
    if (of_row < age || of_row >= age + Tile::kRows) continue;
#pragma unroll
    for (int i = 0; i < P::kQueriesOfThread; ++i) {
      if (!P::stores(i)) continue;
      const int query = P::query(i), t = of_row + queries.first + query - nearest;
      if (t >= 0 && t < Tile::kDistances)
        to[query * Tile::kOperandStride + t] = P::operand(S(dscores.at[i][j]));
    }
  }
  P::sync_queries();
}

/// The position row of a distance, or the first one behind the gap that the distance lies in.
__device__ inline int64_t next_position(const SpanAttentionSizes& s, int64_t distance) {
  const int64_t p = s.position_row(distance);
  return p < 0 && distance > 0 ? s.window : p;
}

/// dpos [P, D] in global memory += sums [kDistances, D] of the distances from `nearest` on, in their order. `slots`:
/// whether several distances may share a row.
template <class Tile, bool slots, class S, class T>
__device__ void add_to_positions(const AttentionArrays<S>& x, const S* sums, int32_t nearest, T* dpos) {
  constexpr int kPacks = (Tile::kStride - kPack<S>) / kPack<T>, kRowsAtOnce = kThreads / kPacks;
  static_assert(kThreads % kPacks == 0);
  const int column = static_cast<int>(threadIdx.x) % kPacks * kPack<T>;
  if (column >= x.head_size) return;
  const auto row_of = [&](int32_t distance) {
    return slots ? static_cast<int32_t>(next_position(x.sizes, distance)) : distance - 1;
  };
  const int first = std::max(0, row_of(nearest)) + static_cast<int>(threadIdx.x) / kPacks;
  const int last = std::min(x.positions - 1, row_of(nearest + Tile::kDistances - 1));
  const RowsAt<T> to{dpos, static_cast<uint32_t>(x.head_size)};
  with_packs(x, [&]<bool whole, int kMost>() {
    // Each needs registers for its sums and its place.
    constexpr int kAtOnce = std::min(kMost, sizeof(S) == 2 ? 8 : 4);
#pragma unroll 1
    for (int begin = first; begin <= last; begin += kAtOnce * kRowsAtOnce) {
      Pack<T> sum[kAtOnce] = {};
      const auto for_each_row = [&](auto f) {
#pragma unroll
        for (int n = 0; n < kAtOnce; ++n) {
          const int p = begin + n * kRowsAtOnce;
          if (p <= last) f(sum[n], p);
        }
      };
      for_each_row([&](Pack<T>& s, int p) { s = load_pack<kPack<T>, whole>(x, to[p], column); });
      for_each_row([&](Pack<T>& s, int p) {
        const auto add = [&](int t) {
          const auto more = pack_at<S, kPack<T>>(sums + t * Tile::kStride + column);
          for (int e = 0; e < kPack<T>; ++e) s.at[e] += more.at[e];
        };
        if constexpr (slots) {
          const Distances of = x.sizes.distances_of(p);
          const int end = std::min(of.last + 1 - nearest, int{Tile::kDistances});
#pragma unroll 1
          for (int t = std::max(of.first - nearest, 0); t < end; ++t) add(t);
        } else {
          add(p + 1 - nearest);
        }
        store_pack<whole>(x, to[p], column, s);
      });
    }
  });
}

/// The transpose of add_position_scores, whose first age is `near`: adds to dq (B9, second term) and, in global
/// memory, to dpos [P, D] (B10). `loaded`: whether the band is that of `near`, and it is the only age.
template <class P, class S, class T>
__device__ void position_backward(const AttentionArrays<S>& x, const QueryTile& queries,
                                  const TileRows<P>& rows, int32_t near, bool loaded,
                                  const typename P::Scores& dscores, const Buffers<P>& s,
                                  typename P::QuerySums& dq, T* dpos) {
  using Tile = typename P::Tile;
  for (int32_t age = near; age != kNoAge; age = rows.next_near(x, queries, age + Tile::kRows)) {
    if (!loaded) {
      __syncthreads();
      load_band<P>(x, queries, age, s.band());
      __syncthreads();
    }
#pragma unroll 1
    for (int begin = 0; begin < Tile::kQueries + Tile::kRows - 1; begin += Tile::kDistances) {
      S* band = s.band() + begin * Tile::kStride;
      const int32_t nearest = age + queries.first + begin;
      store_by_distance<P>(queries, rows, dscores, age, nearest, s.by_distance);
      // Forward was s[i, t] = q_i·band[t]; so dq_i = Σ_t dS[i, t]·band[t] and dband[t] = Σ_i dS[i, t]·q_i.
#pragma unroll 1
      for (int part = 0; part < Tile::kDistances; part += Tile::kRows)
        P::product_with_rows(dq, s.by_distance + part, band + part * Tile::kStride, Tile::kRows);
      __syncthreads();
#pragma unroll 1
      for (int part = 0; part < Tile::kDistances; part += Tile::kRows) {
        typename P::RowSums dband;
        P::product_with_queries(dband, s.by_distance + part, s.q, queries.count);
#pragma unroll
        for (int t = 0; t < P::kSumRows; ++t) {  // dband replaces the band
          put_features<P>(band + (part + P::sum_row(t)) * Tile::kStride, dband.at[t], x.scale);
        }
      }
      __syncthreads();
      if (x.sizes.slots.count)
        add_to_positions<Tile, true>(x, band, nearest, dpos);
      else
        add_to_positions<Tile, false>(x, band, nearest, dpos);
    }
  }
}

// With P::kLoadsAhead the keys and values of the next tile arrive while this one is worked on, and its position rows
// while q·k is computed.
template <class P, class S, class T>
__device__ void backward_dq_tile(const AttentionArrays<S>& x, const BackwardInputs<S>& b,
                                 const QueryTile& queries, const Buffers<P>& s, S* dq, T* dpos) {
  using Tile = typename P::Tile;
  constexpr bool kAhead = P::kLoadsAhead;
  __syncthreads();  // the previous tile is done
  load_queries_and_grad<P>(x, queries, b.grad, s.q, s.grad);
  load_statistics<P>(x, b, queries, s.lse, s.delta);
  typename P::QuerySums sum;
  VisibleRowQueue<P> visible(x, queries, s.queue, s.counts);
  bool any = visible.fill();
  uint32_t kept_word = 0;
  const auto start_rows = [&](int stage) {  // of the queue's tile
    if (any) {
      const auto row_of = [rows = visible.tile()](int j) { return rows.row(j); };
      start_tile<P, Tile::kRows>(x, x.keys(x.kv, queries.head), row_of, s.keys + stage * Tile::kRowTile);
      start_tile<P, Tile::kRows>(x, x.values(x.kv, queries.head), row_of, s.values + stage * Tile::kRowTile);
      kept_word = KeptOfTile<P>::load(x, queries, visible.tile());
    }
    close_copies();
  };
  int stage = 0;
  if constexpr (kAhead) start_rows(0);
  const bool busy = P::busy(queries.count, Tile::kRows);
  while (any) {
    const TileRows<P> rows = visible.tile();
    const S *const keys = s.keys + stage * Tile::kRowTile, *const values = s.values + stage * Tile::kRowTile;
    const int32_t near = rows.next_near(x, queries, kEmptyPlaceAge + 1);
    const KeptOfTile<P> kept(x, queries, s.kept + stage * KeptOfTile<P>::kPlaces);
    const bool full = rows.full();
    const bool one_band = near == kNoAge || rows.next_near(x, queries, near + Tile::kRows) == kNoAge;
    const auto next = [&] {
      visible.pop();
      any = visible.fill();
    };
    typename P::Scores scores, dweights;
    if constexpr (kAhead) {
      kept.put(kept_word);
      wait_for_copies<0>();
      __syncthreads();  // keys and values are there; those before are no longer needed, nor is the band
      if (near != kNoAge) start_band<P>(x, queries, near, s.band());
      close_copies();
      next();
      stage = 1 - stage;
      start_rows(stage);
      if (busy) P::product_of_rows(scores, s.q, keys);  // F2, first term
      if (near != kNoAge) {
        wait_for_copies<1>();
        __syncthreads();  // the band is there
      }
      add_position_scores<P>(x, queries, rows, near, true, s.q, s.band(), s.scores(),
                             scores);  // F2, second term
    } else {
      add_position_scores<P>(x, queries, rows, near, false, s.q, s.band(), s.scores(), scores);
      __syncthreads();
      kept_word = KeptOfTile<P>::load(x, queries, rows);
      load_keys_and_values<P>(
          x, queries.head, [=](int j) { return rows.row(j); }, s.keys, s.values);
      kept.put(kept_word);
      __syncthreads();
      if (busy) P::product_of_rows(scores, s.q, keys);
    }
    if (busy) {
      T unused[P::kRowsOfThread] = {};               // backward_dkv sums the gradients of spans
      P::product_of_rows(dweights, s.grad, values);  // B4: dO·v
      softmax_backward_tile<P>(x, queries, rows, kept, full, s.lse, s.delta, scores, dweights, unused);
      // Forward was s = q·k/√D; so dq = Σ_j dS·k/√D.
      P::product_with_rows(sum, scores, s.scores(), keys, Tile::kRows);  // B9, first term
    }
    position_backward<P>(x, queries, rows, near, kAhead && one_band, scores, s, sum, dpos);
    if constexpr (!kAhead) next();
  }
  __syncthreads();
#pragma unroll
  for (int i = 0; i < P::kQueriesOfThread; ++i) {  // dq replaces q
    put_features<P>(s.q + P::query(i) * Tile::kStride, sum.at[i], x.scale);
  }
  __syncthreads();
  store_queries<P>(x, queries, s.q, dq);
}

template <class P, class S = typename P::S>
__global__ void __launch_bounds__(kThreads, P::Tile::kResident)
    backward_dq(AttentionArrays<S> x, BackwardInputs<S> b, S* dq, compute_t<S>* dpos, unsigned tiles) {
  const auto s = shared_buffers<Buffers<P>>();
  dpos += int64_t{blockIdx.x} * x.positions * x.head_size;
  for (unsigned turn = 0; turn * gridDim.x < tiles; ++turn) {
    const auto n = static_cast<unsigned>(tile_of_turn(blockIdx.x, gridDim.x, turn));
    if (n < tiles) backward_dq_tile<P>(x, b, query_tile(x, n, P::Tile::kQueries), s, dq, dpos);
  }
}

}  // namespace

template <class S>
void launch_backward_dq(const AttentionArrays<S>& x, const BackwardInputs<S>& b, S* dq, compute_t<S>* dpos,
                        int64_t parts) {
  for_products(x, [&]<class P>() {
    const int64_t tiles = query_tiles(x, P::Tile::kQueries);
    launch("span_attention backward_dq", backward_dq<P>,
           static_cast<unsigned>(x.positions ? std::min(tiles, parts) : tiles), kThreads,
           shared_bytes<Buffers<P>>(), x, b, dq, dpos, static_cast<unsigned>(tiles));
  });
}
template void launch_backward_dq(const AttentionArrays<float>&, const BackwardInputs<float>&, float*, float*,
                                 int64_t);
template void launch_backward_dq(const AttentionArrays<double>&, const BackwardInputs<double>&, double*,
                                 double*, int64_t);
template void launch_backward_dq(const AttentionArrays<bf16>&, const BackwardInputs<bf16>&, bf16*, float*,
                                 int64_t);

}  // namespace fade::span_cuda
