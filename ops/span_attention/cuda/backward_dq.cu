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
  using T = typename P::T;
  using Tile = typename P::Tile;
  SharedLayout shared;
  FADE_HD constexpr explicit Buffers(unsigned char* base) : shared(base) {}
  T* q = shared.array<T>(Tile::kQueryTile);
  T* grad = shared.array<T>(Tile::kQueryTile);
  T* keys = shared.array<T>(Tile::kRowTile);
  T* values = shared.array<T>(Tile::kRowTile);
  T* scores = shared.array<T>(Tile::kScoreTile);  ///< scores by age, then dS
  T* lse = shared.array<T>(Tile::kQueries);
  T* delta = shared.array<T>(Tile::kQueries);
  int32_t* queue = shared.array<int32_t>(Tile::kQueue + kWarps);  ///< and the counts of the warps
  static_assert(Tile::kBand <= 2 * Tile::kRowTile);
  /// Position rows, in the place of keys and values.
  __device__ T* band() const { return keys; }
};

/// scores[i, t] = dS of query i and the row at distance `nearest` + t, 0 where there is none; of the rows
/// with ages in [age, age + rows of a tile).
template <class P, class T>
__device__ void store_by_distance(const QueryTile& queries, const RowsOfThread<P>& rows,
                                  const typename P::Scores& dscores, int32_t age, int32_t nearest,
                                  T* scores) {
  using Tile = typename P::Tile;
  for (int n = static_cast<int>(threadIdx.x); n < Tile::kScoreTile; n += kThreads) scores[n] = 0;
  __syncthreads();
#pragma unroll
  for (int j = 0; j < P::kRowsOfThread; ++j) {
    if (rows.age[j] < age || rows.age[j] >= age + Tile::kRows) continue;
#pragma unroll
    for (int i = 0; i < P::kQueriesOfThread; ++i) {
      const int query = P::query(i), t = rows.age[j] + queries.first + query - nearest;
      if (t >= 0 && t < Tile::kRows) scores[query * Tile::kScoreStride + t] = P::operand(dscores.at[i][j]);
    }
  }
}

/// The position row of a distance, or the first one behind the gap that the distance lies in.
__device__ inline int64_t next_position(const SpanAttentionSizes& s, int64_t distance) {
  const int64_t p = s.position_row(distance);
  return p < 0 && distance > 0 ? s.window : p;
}

/// dpos [P, D] in global memory += sums [rows, D] of the distances from `nearest` on, in their order.
template <class Tile, class T>
__device__ void add_to_positions(const AttentionArrays<T>& x, const T* sums, int32_t nearest, T* dpos) {
  constexpr int kPacks = (Tile::kStride - kPack<T>) / kPack<T>;
  const int64_t first = std::max<int64_t>(0, next_position(x.sizes, nearest));
  const int64_t last = std::min<int64_t>(x.positions - 1, next_position(x.sizes, nearest + Tile::kRows - 1));
  const int total = static_cast<int>(last - first + 1) * kPacks;
  with_packs(x, [&]<bool whole, int kMost>() {
    constexpr int kAtOnce = std::min(kMost, 4);  // each needs registers for its sums and its place
#pragma unroll 1
    for (int begin = static_cast<int>(threadIdx.x); begin < total; begin += kAtOnce * kThreads) {
      Pack<T> sum[kAtOnce] = {};
      const auto for_each_sum = [&](auto f) {
#pragma unroll
        for (int n = 0; n < kAtOnce; ++n) {
          const int at = begin + n * kThreads, column = at % kPacks * kPack<T>;
          if (at < total && column < x.head_size) f(sum[n], first + at / kPacks, column);
        }
      };
      for_each_sum([&](Pack<T>& s, int64_t p, int column) {
        s = load_pack<kPack<T>, whole>(x, dpos + p * x.head_size, column);
      });
      for_each_sum([&](Pack<T>& s, int64_t p, int column) {
        const Distances of = x.sizes.distances_of(p);
        const int end = std::min(of.last + 1 - nearest, int{Tile::kRows});
#pragma unroll 1
        for (int t = std::max(of.first - nearest, 0); t < end; ++t) {  // once, or slots.rate times
          for (int e = 0; e < kPack<T>; ++e) s.at[e] += sums[t * Tile::kStride + column + e];
        }
        store_pack<whole>(x, dpos + p * x.head_size, column, s);
      });
    }
  });
}

/// The transpose of add_position_scores: adds to dq (B9, second term) and, in global memory,
/// to dpos [P, D] (B10).
template <class P, class T>
__device__ void position_backward(const AttentionArrays<T>& x, const QueryTile& queries,
                                  const RowsOfThread<P>& rows, const typename P::Scores& dscores,
                                  const Buffers<P>& s, typename P::QuerySums& dq, T* dpos) {
  using Tile = typename P::Tile;
  for_each_near(x, queries, rows, [&](int32_t age) {
    __syncthreads();
    load_band<P>(x, queries, age, s.band());
#pragma unroll 1
    for (int begin = 0; begin < Tile::kQueries + Tile::kRows - 1; begin += Tile::kRows) {
      T* band = s.band() + begin * Tile::kStride;
      const int32_t nearest = age + queries.first + begin;
      store_by_distance<P>(queries, rows, dscores, age, nearest, s.scores);
      __syncthreads();
      // Forward was s[i, t] = q_i·band[t]; so dq_i = Σ_t dS[i, t]·band[t] and dband[t] = Σ_i dS[i, t]·q_i.
      P::product_with_rows(dq, s.scores, band, Tile::kRows);
      typename P::RowSums dband;
      P::product_with_queries(dband, s.scores, s.q, queries.count);
      __syncthreads();
#pragma unroll
      for (int t = 0; t < P::kSumRows; ++t) {  // dband replaces the band
        put_features<P>(band + P::sum_row(t) * Tile::kStride, dband.at[t]);
      }
      __syncthreads();
      add_to_positions<Tile>(x, band, nearest, dpos);
    }
  });
}

template <class P, class T>
__device__ void backward_dq_tile(const AttentionArrays<T>& x, const BackwardInputs<T>& b,
                                 const QueryTile& queries, const Buffers<P>& s, T* dq, T* dpos) {
  using Tile = typename P::Tile;
  __syncthreads();  // the previous tile is done
  load_queries_and_grad<P>(x, queries, b.grad, s.q, s.grad);
  load_statistics<Tile::kQueries>(x, b, queries, s.lse, s.delta);
  typename P::QuerySums sum;
  VisibleRowQueue<T> visible(x, queries, s.queue, Tile::kQueue);
  while (const int count = visible.fill(Tile::kRows)) {
    const auto row_of = [&](int j) { return visible.row(j, count); };
    const RowsOfThread<P> rows(x, queries.head, row_of);
    const KeptOfThread<P> kept(x, queries, row_of);
    const bool full = count == Tile::kRows && visible.full(count);
    typename P::Scores scores, dweights;
    add_position_scores<P>(x, queries, rows, rows, s.q, s.band(), s.scores, scores);  // F2, second term
    __syncthreads();
    load_keys_and_values<P>(x, queries.head, row_of, s.keys, s.values);
    __syncthreads();
    if (P::busy(queries.count, Tile::kRows)) {
      T unused[P::kRowsOfThread] = {};                 // backward_dkv sums the gradients of spans
      P::product_of_rows(scores, s.q, s.keys);         // F2, first term
      P::product_of_rows(dweights, s.grad, s.values);  // B4: dO·v
      softmax_backward_tile<P>(x, queries, rows, kept, full, s.lse, s.delta, scores, dweights, unused);
      // Forward was s = q·k/√D; so dq = Σ_j dS·k/√D.
      P::product_with_rows(sum, scores, s.scores, s.keys, count);  // B9, first term
    }
    position_backward<P>(x, queries, rows, scores, s, sum, dpos);
    visible.pop(count);
  }
  __syncthreads();
#pragma unroll
  for (int i = 0; i < P::kQueriesOfThread; ++i) {  // dq replaces q
    put_features<P>(s.q + P::query(i) * Tile::kStride, sum.at[i], x.scale);
  }
  __syncthreads();
  store_queries<P>(x, queries, s.q, dq);
}

template <class P, class T = typename P::T>
__global__ void __launch_bounds__(kThreads, P::Tile::kResident)
    backward_dq(AttentionArrays<T> x, BackwardInputs<T> b, T* dq, T* dpos, unsigned tiles) {
  const auto s = shared_buffers<Buffers<P>>();
  dpos += int64_t{blockIdx.x} * x.positions * x.head_size;
  for (unsigned turn = 0; turn * gridDim.x < tiles; ++turn) {
    const auto n = static_cast<unsigned>(tile_of_turn(blockIdx.x, gridDim.x, turn));
    if (n < tiles) backward_dq_tile<P>(x, b, query_tile(x, n, P::Tile::kQueries), s, dq, dpos);
  }
}

}  // namespace

template <class T>
void launch_backward_dq(const AttentionArrays<T>& x, const BackwardInputs<T>& b, T* dq, T* dpos,
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

}  // namespace fade::span_cuda
