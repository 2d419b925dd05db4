// Backward to queries and positions: a block a tile of queries of a head, which goes through the rows that
// they see, as forward does. Blocks take several tiles where that keeps the parts of dpos few.
#include "ops/span_attention/cuda/scores.h"
#include "ops/span_attention/span_attention_cuda.h"

namespace fade::span_cuda {
namespace {

/// The block's shared memory.
template <class T, int D>
struct Buffers {
  using Tile = Tiling<T, D>;
  T* q = dynamic_shared<T>();
  T* grad = q + Tile::kQueryTile;
  T* keys = grad + Tile::kQueryTile;
  T* values = keys + Tile::kRowTile;
  T* band = keys;  ///< in the place of keys and values
  T* scores = values + Tile::kRowTile;
  T* log_sum = scores + Tile::kScoreTile;
  T* delta = log_sum + Tile::kQueries;
  int32_t* queue = reinterpret_cast<int32_t*>(delta + Tile::kQueries);
};
template <class T, int D>
constexpr size_t shared_bytes() {
  using Tile = Tiling<T, D>;
  return sizeof(T) * (2 * Tile::kQueryTile + 2 * Tile::kRowTile + Tile::kScoreTile + 2 * Tile::kQueries) +
         sizeof(int32_t) * (Tile::kQueue + kThreads / kWarp);
}

/// scores[i, t] = the gradient of query i's score for the row at distance `nearest` + t, 0 where there is
/// none; of the rows with ages in [age, age + rows of a tile).
template <class T, int D>
__device__ void store_by_distance(const Queries& queries, const TileRows<T, D>& rows,
                                  const ScoreFragment<T, D>& dscores, int32_t age, int32_t nearest,
                                  T* scores) {
  using Tile = Tiling<T, D>;
  for (int n = static_cast<int>(threadIdx.x); n < Tile::kScoreTile; n += kThreads) scores[n] = 0;
  __syncthreads();
  const int own = group_of_thread() * Tile::kQueriesOfThread;
  FADE_UNROLL
  for (int j = 0; j < Tile::kRowsOfThread; ++j) {
    if (rows.age[j] < age || rows.age[j] >= age + Tile::kRows) continue;
    FADE_UNROLL
    for (int i = 0; i < Tile::kQueriesOfThread; ++i)
      if (const int t = rows.age[j] + queries.first + own + i - nearest; t >= 0 && t < Tile::kRows)
        scores[(own + i) * Tile::kScoreStride + t] = dscores.at[i][j];
  }
}

/// The distances that have position row p.
__device__ inline Distances distances_of(const SpanAttentionSizes& s, int64_t p) {
  if (!s.slots.count || p < s.window) return {static_cast<int32_t>(p) + 1, static_cast<int32_t>(p) + 1};
  const auto first = static_cast<int32_t>(s.window + s.block + 1 + (p - s.window) * s.slots.rate);
  return {first, first + s.slots.rate - 1};
}
/// The position row of a distance, or the first one behind the gap that the distance lies in.
__device__ inline int64_t next_position(const SpanAttentionSizes& s, int64_t distance) {
  const int64_t p = s.position_row(distance);
  return p < 0 && distance > 0 ? s.window : p;
}

/// dpos [P, D] in global memory += sums [rows, D], of the distances from `nearest` on, in their order.
template <class T, int D>
__device__ void add_to_positions(const Arrays<T>& x, const T* sums, int32_t nearest, T* dpos) {
  using Tile = Tiling<T, D>;
  constexpr int kPacks = D / kPack<T>;
  const int64_t first = std::max<int64_t>(0, next_position(x.sizes, nearest));
  const int64_t last = std::min<int64_t>(x.positions - 1, next_position(x.sizes, nearest + Tile::kRows - 1));
  const int total = static_cast<int>(last - first + 1) * kPacks;
  for (int begin = static_cast<int>(threadIdx.x); begin < total; begin += kInFlight * kThreads) {
    Pack<T> sum[kInFlight];
    const auto each = [&](auto f) {
      FADE_UNROLL
      for (int n = 0; n < kInFlight; ++n)
        if (const int at = begin + n * kThreads; at < total)
          f(sum[n], first + at / kPacks, at % kPacks * kPack<T>);
    };
    each([&](Pack<T>& s, int64_t p, int column) {
      s = load_pack<kPack<T>>(x, dpos + p * x.head_size, column);
    });
    each([&](Pack<T>& s, int64_t p, int column) {
      const Distances of = distances_of(x.sizes, p);
      const int end = std::min(of.last + 1 - nearest, int{Tile::kRows});
      for (int t = std::max(of.first - nearest, 0); t < end; ++t)
        for (int e = 0; e < kPack<T>; ++e) s.at[e] += sums[t * Tile::kStride + column + e];
      store_pack(x, dpos + p * x.head_size, column, s);
    });
  }
}

/// Adjoint of add_position_scores: adds to dq and, in global memory, to dpos [P, D].
template <class T, int D>
__device__ void position_backward(const Arrays<T>& x, const Queries& queries, const TileRows<T, D>& rows,
                                  const ScoreFragment<T, D>& dscores, const Buffers<T, D>& s,
                                  QueryFragment<T, D>& dq, T* dpos) {
  using Tile = Tiling<T, D>;
  for_each_near<T, D>(x, queries, rows, [&](int32_t age) {
    __syncthreads();
    load_band<T, D>(x, queries, age, s.band);
    for (int begin = 0; begin < Tile::kQueries + Tile::kRows - 1; begin += Tile::kRows) {
      T* band = s.band + begin * Tile::kStride;
      const int32_t nearest = age + queries.first + begin;
      store_by_distance<T, D>(queries, rows, dscores, age, nearest, s.scores);
      __syncthreads();
      product_with_rows<T, D>(dq, s.scores, band, Tile::kRows);
      RowFragment<T, D> sums;
      product_with_queries<T, D>(sums, s.scores, s.q, queries.count);
      __syncthreads();
      T* row = band + group_of_thread() * Tile::kRowsOfGroup * Tile::kStride;
      FADE_UNROLL
      for (int t = 0; t < Tile::kRowsOfGroup; ++t)
        for_each_pack(sums.at[t], T{1}, [&](int column, const auto& pack) {
          put_pack(row + t * Tile::kStride + column, pack);
        });
      __syncthreads();
      add_to_positions<T, D>(x, band, nearest, dpos);
    }
  });
}

template <class T, int D>
__device__ void attend_from(const Arrays<T>& x, const Saved<T>& saved, const Queries& queries,
                            const Buffers<T, D>& s, T* dq, T* dpos) {
  using Tile = Tiling<T, D>;
  __syncthreads();  // the tile before is done
  load_queries<T, D>(x, queries, x.q, x.scale, s.q);
  load_queries<T, D>(x, queries, saved.grad, 1, s.grad);
  load_sums<Tile::kQueries>(x, saved, queries, s.log_sum, s.delta);
  QueryFragment<T, D> sum;
  SeenRows<T> seen(x, queries, s.queue, Tile::kQueue);
  while (const int count = seen.find(Tile::kRows)) {
    const auto row_of = [&](int j) { return seen.row(j, count); };
    const TileRows<T, D> rows(x, queries.head, row_of);
    const bool full = count == Tile::kRows && seen.full(count);
    ScoreFragment<T, D> scores, dweights;
    add_position_scores<T, D>(x, queries, rows, s.q, s.band, s.scores, scores);
    __syncthreads();
    load_keys<T, D>(x, queries.head, row_of, s.keys);
    load_values<T, D>(x, queries.head, row_of, s.values);
    __syncthreads();
    if (queries.any_in_warp(Tile::kQueriesOfThread)) {
      T unused[Tile::kRowsOfThread] = {};
      product_of_rows<T, D>(scores, s.q, s.keys);
      product_of_rows<T, D>(dweights, s.grad, s.values);
      soften_backward<T, D>(x, queries, rows, full, s.log_sum, s.delta, scores, dweights, unused);
      store_scores<T, D>(scores, s.scores);
      __syncwarp();
      product_with_rows<T, D>(sum, s.scores, s.keys, count);
    }
    position_backward<T, D>(x, queries, rows, scores, s, sum, dpos);
    seen.drop(count);
  }
  FADE_UNROLL
  for (int i = 0; i < Tile::kQueriesOfThread; ++i) {
    const int query = queries.mine(Tile::kQueriesOfThread) + i;
    if (query <= queries.last())
      store_features(x, dq + x.query_offset(queries.stream, query, queries.head), sum.at[i], x.scale);
  }
}

template <class T, int D>
__global__ void __launch_bounds__(kThreads)
    attend_from_queries(Arrays<T> x, Saved<T> saved, T* dq, T* dpos, int64_t tiles) {
  const Buffers<T, D> s;
  dpos += int64_t{blockIdx.x} * x.positions * x.head_size;
  for (int64_t n = blockIdx.x; n < tiles; n += gridDim.x)
    attend_from<T, D>(x, saved, query_tile(x, n, Tiling<T, D>::kQueries), s, dq, dpos);
}

}  // namespace

template <class T>
void launch_backward_queries(const Arrays<T>& x, const Saved<T>& saved, T* dq, T* dpos, int64_t parts) {
  for_head_size(x.head_size, [&]<int D>() {
    static_assert(shared_bytes<T, D>() <= kMostShared);
    const int64_t tiles = query_tiles(x, Tiling<T, D>::kQueries);
    launch("span_attention backward to queries", attend_from_queries<T, D>,
           static_cast<unsigned>(x.positions ? std::min(tiles, parts) : tiles), kThreads,
           shared_bytes<T, D>(), x, saved, dq, dpos, tiles);
  });
}
template void launch_backward_queries(const Arrays<float>&, const Saved<float>&, float*, float*, int64_t);
template void launch_backward_queries(const Arrays<double>&, const Saved<double>&, double*, double*, int64_t);

}  // namespace fade::span_cuda
