// Backward to queries and positions (dq, dpos): each thread block works on a tile of queries of one head, and
// loops over the rows that they see, as in forward. With positions, a thread block works on several tiles,
// one after the other, so that the parts of dpos stay few.
#include "ops/span_attention/cuda/launch.h"
#include "ops/span_attention/cuda/scores.h"

namespace fade::span_cuda {
namespace {

/// Arrays in the thread block's shared memory.
template <class T, int D>
struct Buffers {
  using Tile = Tiling<T, D>;
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
template <class T, int D>
__device__ void store_by_distance(const QueryTile& queries, const TileRows<T, D>& rows,
                                  const ScoreFragment<T, D>& dscores, int32_t age, int32_t nearest,
                                  T* scores) {
  using Tile = Tiling<T, D>;
  for (int n = static_cast<int>(threadIdx.x); n < Tile::kScoreTile; n += kThreads) scores[n] = 0;
  __syncthreads();
  const int own = group_of_thread() * Tile::kQueriesOfThread;
#pragma unroll
  for (int j = 0; j < Tile::kRowsOfThread; ++j) {
    if (rows.age[j] < age || rows.age[j] >= age + Tile::kRows) continue;
#pragma unroll
    for (int i = 0; i < Tile::kQueriesOfThread; ++i) {
      const int t = rows.age[j] + queries.first + own + i - nearest;
      if (t >= 0 && t < Tile::kRows) scores[(own + i) * Tile::kScoreStride + t] = dscores.at[i][j];
    }
  }
}

/// The position row of a distance, or the first one behind the gap that the distance lies in.
__device__ inline int64_t next_position(const SpanAttentionSizes& s, int64_t distance) {
  const int64_t p = s.position_row(distance);
  return p < 0 && distance > 0 ? s.window : p;
}

/// dpos [P, D] in global memory += sums [rows, D] of the distances from `nearest` on, in their order.
template <class T, int D>
__device__ void add_to_positions(const AttentionArrays<T>& x, const T* sums, int32_t nearest, T* dpos) {
  using Tile = Tiling<T, D>;
  constexpr int kPacks = D / kPack<T>;
  const int64_t first = std::max<int64_t>(0, next_position(x.sizes, nearest));
  const int64_t last = std::min<int64_t>(x.positions - 1, next_position(x.sizes, nearest + Tile::kRows - 1));
  const int total = static_cast<int>(last - first + 1) * kPacks;
  for (int begin = static_cast<int>(threadIdx.x); begin < total; begin += kInFlight * kThreads) {
    Pack<T> sum[kInFlight];
    const auto for_each_sum = [&](auto f) {
#pragma unroll
      for (int n = 0; n < kInFlight; ++n) {
        const int at = begin + n * kThreads;
        if (at < total) f(sum[n], first + at / kPacks, at % kPacks * kPack<T>);
      }
    };
    for_each_sum([&](Pack<T>& s, int64_t p, int column) {
      s = load_pack<kPack<T>>(x, dpos + p * x.head_size, column);
    });
    for_each_sum([&](Pack<T>& s, int64_t p, int column) {
      const Distances of = x.sizes.distances_of(p);
      const int end = std::min(of.last + 1 - nearest, int{Tile::kRows});
      for (int t = std::max(of.first - nearest, 0); t < end; ++t) {
        for (int e = 0; e < kPack<T>; ++e) s.at[e] += sums[t * Tile::kStride + column + e];
      }
      store_pack(x, dpos + p * x.head_size, column, s);
    });
  }
}

/// The transpose of add_position_scores: adds to dq (B9, second term) and, in global memory,
/// to dpos [P, D] (B10).
template <class T, int D>
__device__ void position_backward(const AttentionArrays<T>& x, const QueryTile& queries,
                                  const TileRows<T, D>& rows, const ScoreFragment<T, D>& dscores,
                                  const Buffers<T, D>& s, QueryFragment<T, D>& dq, T* dpos) {
  using Tile = Tiling<T, D>;
  for_each_near<T, D>(x, queries, rows, [&](int32_t age) {
    __syncthreads();
    load_band<T, D>(x, queries, age, s.band());
    for (int begin = 0; begin < Tile::kQueries + Tile::kRows - 1; begin += Tile::kRows) {
      T* band = s.band() + begin * Tile::kStride;
      const int32_t nearest = age + queries.first + begin;
      store_by_distance<T, D>(queries, rows, dscores, age, nearest, s.scores);
      __syncthreads();
      // Forward was s[i, t] = q_i·band[t]; so dq_i = Σ_t dS[i, t]·band[t] and dband[t] = Σ_i dS[i, t]·q_i.
      product_with_rows<T, D>(dq, s.scores, band, Tile::kRows);
      RowFragment<T, D> dband;
      product_with_queries<T, D>(dband, s.scores, s.q, queries.count);
      __syncthreads();
      T* row = band + group_of_thread() * Tile::kRowsOfGroup * Tile::kStride;  // dband replaces the band
#pragma unroll
      for (int t = 0; t < Tile::kRowsOfGroup; ++t) {
        for_each_pack(dband.at[t], T{1}, [&](int column, const auto& pack) {
          put_pack(row + t * Tile::kStride + column, pack);
        });
      }
      __syncthreads();
      add_to_positions<T, D>(x, band, nearest, dpos);
    }
  });
}

template <class T, int D>
__device__ void backward_dq_tile(const AttentionArrays<T>& x, const BackwardInputs<T>& b,
                                 const QueryTile& queries, const Buffers<T, D>& s, T* dq, T* dpos) {
  using Tile = Tiling<T, D>;
  __syncthreads();  // the previous tile is done
  load_queries<T, D>(x, queries, x.q, x.scale, s.q);
  load_queries<T, D>(x, queries, b.grad, 1, s.grad);
  load_statistics<Tile::kQueries>(x, b, queries, s.lse, s.delta);
  QueryFragment<T, D> sum;
  VisibleRowQueue<T> visible(x, queries, s.queue, Tile::kQueue);
  while (const int count = visible.fill(Tile::kRows)) {
    const auto row_of = [&](int j) { return visible.row(j, count); };
    const TileRows<T, D> rows(x, queries.head, row_of);
    const bool full = count == Tile::kRows && visible.full(count);
    ScoreFragment<T, D> scores, dweights;
    add_position_scores<T, D>(x, queries, rows, s.q, s.band(), s.scores, scores);  // F2, second term
    __syncthreads();
    load_keys<T, D>(x, queries.head, row_of, s.keys);
    load_values<T, D>(x, queries.head, row_of, s.values);
    __syncthreads();
    if (queries.any_in_warp(Tile::kQueriesOfThread)) {
      T unused[Tile::kRowsOfThread] = {};                 // backward_dkv sums the gradients of spans
      product_of_rows<T, D>(scores, s.q, s.keys);         // F2, first term
      product_of_rows<T, D>(dweights, s.grad, s.values);  // B4: dO·v
      softmax_backward_tile<T, D>(x, queries, rows, full, s.lse, s.delta, scores, dweights, unused);
      store_scores<T, D>(scores, s.scores);
      __syncwarp();
      // Forward was s = q·k/√D; so dq = Σ_j dS·k/√D.
      product_with_rows<T, D>(sum, s.scores, s.keys, count);  // B9, first term
    }
    position_backward<T, D>(x, queries, rows, scores, s, sum, dpos);
    visible.pop(count);
  }
#pragma unroll
  for (int i = 0; i < Tile::kQueriesOfThread; ++i) {
    const int query = queries.first_of_thread(Tile::kQueriesOfThread) + i;
    if (query <= queries.last())
      store_features(x, dq + x.query_offset(queries.stream, query, queries.head), sum.at[i], x.scale);
  }
}

template <class T, int D>
__global__ void __launch_bounds__(kThreads, Tiling<T, D>::kResident)
    backward_dq(AttentionArrays<T> x, BackwardInputs<T> b, T* dq, T* dpos, int64_t tiles) {
  const auto s = shared_buffers<Buffers<T, D>>();
  dpos += int64_t{blockIdx.x} * x.positions * x.head_size;
  for (int64_t n = blockIdx.x; n < tiles; n += gridDim.x) {
    backward_dq_tile<T, D>(x, b, query_tile(x, n, Tiling<T, D>::kQueries), s, dq, dpos);
  }
}

}  // namespace

template <class T>
void launch_backward_dq(const AttentionArrays<T>& x, const BackwardInputs<T>& b, T* dq, T* dpos,
                        int64_t parts) {
  for_head_size(x.head_size, [&]<int D>() {
    const int64_t tiles = query_tiles(x, Tiling<T, D>::kQueries);
    launch("span_attention backward_dq", backward_dq<T, D>,
           static_cast<unsigned>(x.positions ? std::min(tiles, parts) : tiles), kThreads,
           shared_bytes<Buffers<T, D>>(), x, b, dq, dpos, tiles);
  });
}
template void launch_backward_dq(const AttentionArrays<float>&, const BackwardInputs<float>&, float*, float*,
                                 int64_t);
template void launch_backward_dq(const AttentionArrays<double>&, const BackwardInputs<double>&, double*,
                                 double*, int64_t);

}  // namespace fade::span_cuda
