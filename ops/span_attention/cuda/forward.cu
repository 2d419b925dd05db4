// Forward: a block a tile of queries of a head, which goes through the rows that they see.
#include "ops/span_attention/cuda/scores.h"
#include "ops/span_attention/span_attention_cuda.h"

namespace fade::span_cuda {
namespace {

/// The block's shared memory.
template <class T, int D>
struct Buffers {
  using Tile = Tiling<T, D>;
  T* q = dynamic_shared<T>();
  T* keys = q + Tile::kQueryTile;
  T* values = keys + Tile::kRowTile;
  T* band = keys;  ///< in the place of keys and values
  T* weights = values + Tile::kRowTile;
  int32_t* queue = reinterpret_cast<int32_t*>(weights + Tile::kScoreTile);
};
template <class T, int D>
constexpr size_t shared_bytes() {
  using Tile = Tiling<T, D>;
  return sizeof(T) * (Tile::kQueryTile + 2 * Tile::kRowTile + Tile::kScoreTile) +
         sizeof(int32_t) * (Tile::kQueue + kThreads / kWarp);
}

/// The running softmax of this thread's queries. Each thread has sums over its own rows.
template <class T, int D>
struct Softmax {
  static constexpr int kI = Tiling<T, D>::kQueriesOfThread, kJ = Tiling<T, D>::kRowsOfThread;
  static constexpr T kLowest = -1e30f;
  T highest[kI], faded_sum[kI] = {}, sum[kI] = {};

  __device__ Softmax() {
    for (T& h : highest) h = kLowest;
  }

  /// Turns a tile's scores into m·exp(s − highest). `highest` rises to the tile's maximum, and what was
  /// summed before is scaled to it.
  __device__ void take(const Arrays<T>& x, int first_query, const TileRows<T, D>& rows, bool full,
                       ScoreFragment<T, D>& scores, QueryFragment<T, D>& out) {
    FADE_UNROLL
    for (int i = 0; i < kI; ++i) {
      T top = highest[i];
      FADE_UNROLL
      for (int j = 0; j < kJ; ++j)
        if (full || look(x, rows.age[j], rows.span[j], first_query + i).seen)
          top = std::max(top, scores.at[i][j]);
      top = warp_reduce<kColumns>(top, Max{});
      const T rescale = std::exp(highest[i] - top);
      highest[i] = top;
      sum[i] *= rescale;
      faded_sum[i] *= rescale;
      for (T& o : out.at[i]) o *= rescale;
      FADE_UNROLL
      for (int j = 0; j < kJ; ++j) {
        Look<T> at{true, false, 1};
        if (!full) at = look(x, rows.age[j], rows.span[j], first_query + i);
        const T u = at.seen ? std::exp(scores.at[i][j] - top) : T{0};
        scores.at[i][j] = at.m * u;
        sum[i] += u;
        faded_sum[i] += scores.at[i][j];
      }
    }
  }

  /// The denominator of query i; 0 if it has seen nothing.
  __device__ T denominator(int i, T epsilon) const {
    return warp_reduce<kColumns>(faded_sum[i], Sum{}) + epsilon * warp_reduce<kColumns>(sum[i], Sum{});
  }
};

template <class T, int D>
__device__ void drop_weights(const Arrays<T>& x, const Queries& queries, const TileRows<T, D>& rows,
                             ScoreFragment<T, D>& weights) {
  constexpr int kI = Tiling<T, D>::kQueriesOfThread;
  FADE_UNROLL
  for (int j = 0; j < Tiling<T, D>::kRowsOfThread; ++j) {
    T kept[kI] = {};
    draw_dropout(x, queries, rows.age[j], queries.mine(kI), kept);
    FADE_UNROLL
    for (int i = 0; i < kI; ++i) weights.at[i][j] *= kept[i];
  }
}

template <class T, int D>
__global__ void __launch_bounds__(kThreads) attend(Arrays<T> x, T* out, T* log_sum) {
  using Tile = Tiling<T, D>;
  constexpr int kI = Tile::kQueriesOfThread;
  const Buffers<T, D> s;
  const Queries queries = query_tile(x, blockIdx.x, Tile::kQueries);
  const bool busy = queries.any_in_warp(kI);
  load_queries<T, D>(x, queries, x.q, x.scale, s.q);
  QueryFragment<T, D> sum_of_values;
  Softmax<T, D> softmax;
  SeenRows<T> seen(x, queries, s.queue, Tile::kQueue);
  while (const int count = seen.find(Tile::kRows)) {
    const auto row_of = [&](int j) { return seen.row(j, count); };
    const TileRows<T, D> rows(x, queries.head, row_of);
    const bool full = count == Tile::kRows && seen.full(count);
    ScoreFragment<T, D> scores;
    add_position_scores<T, D>(x, queries, rows, s.q, s.band, s.weights, scores);
    __syncthreads();
    load_keys<T, D>(x, queries.head, row_of, s.keys);
    load_values<T, D>(x, queries.head, row_of, s.values);
    __syncthreads();
    if (busy) {
      product_of_rows<T, D>(scores, s.q, s.keys);
      softmax.take(x, queries.mine(kI), rows, full, scores, sum_of_values);
      if (x.dropout) drop_weights<T, D>(x, queries, rows, scores);
      store_scores<T, D>(scores, s.weights);
      __syncwarp();
      product_with_rows<T, D>(sum_of_values, s.weights, s.values, count);
    }
    seen.drop(count);
  }

  FADE_UNROLL
  for (int i = 0; i < kI; ++i) {
    const T denominator = softmax.denominator(i, x.epsilon);
    const int query = queries.mine(kI) + i;
    if (query > queries.last()) continue;
    const bool any = denominator > 0;
    store_features(x, out + x.query_offset(queries.stream, query, queries.head), sum_of_values.at[i],
                   any ? 1 / denominator : T{0});
    if (column_of_thread() == 0)
      log_sum[x.sum_offset(queries.stream, query, queries.head)] =
          any ? softmax.highest[i] + std::log(denominator) : T{0};
  }
}

}  // namespace

template <class T>
void launch_forward(const Arrays<T>& x, T* out, T* log_sum) {
  for_head_size(x.head_size, [&]<int D>() {
    static_assert(shared_bytes<T, D>() <= kMostShared);
    launch("span_attention forward", attend<T, D>,
           static_cast<unsigned>(query_tiles(x, Tiling<T, D>::kQueries)), kThreads, shared_bytes<T, D>(), x,
           out, log_sum);
  });
}
template void launch_forward(const Arrays<float>&, float*, float*);
template void launch_forward(const Arrays<double>&, double*, double*);

}  // namespace fade::span_cuda
