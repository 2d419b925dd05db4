// Forward: each thread block works on a tile of queries of one head, and loops over the rows that they see.
#include <limits>

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
  T* keys = shared.array<T>(Tile::kRowTile);
  T* values = shared.array<T>(Tile::kRowTile);
  T* weights = shared.array<T>(Tile::kScoreTile);                 ///< scores by age, then weights
  int32_t* queue = shared.array<int32_t>(Tile::kQueue + kWarps);  ///< and the counts of the warps
  static_assert(Tile::kBand <= 2 * Tile::kRowTile);
  /// Position rows, in the place of keys and values.
  __device__ T* band() const { return keys; }
};

/// Online softmax of this thread's queries: h (the largest score so far), and Z and N (F4)
/// over this thread's own rows.
template <class T, int D>
struct OnlineSoftmax {
  static constexpr int kI = Tiling<T, D>::kQueriesOfThread, kJ = Tiling<T, D>::kRowsOfThread;
  static constexpr T kLowest = -1e30f;
  T row_max[kI], masked_sum_exp[kI] = {}, sum_exp[kI] = {};

  __device__ OnlineSoftmax() {
    for (T& h : row_max) h = kLowest;
  }

  /// Turns a tile's scores into m·u. Each query's h rises to the tile's maximum h', and its sums so far are
  /// multiplied by exp(h − h').
  __device__ void step(const AttentionArrays<T>& x, int first_query, const TileRows<T, D>& rows, bool full,
                       ScoreFragment<T, D>& scores, QueryFragment<T, D>& out) {
#pragma unroll
    for (int i = 0; i < kI; ++i) {
      T top = row_max[i];
#pragma unroll
      for (int j = 0; j < kJ; ++j) {
        if (!full && !mask_at(x.mask, rows.age[j], rows.span[j], first_query + i).visible)
          scores.at[i][j] = -std::numeric_limits<T>::infinity();  // so u = 0
        top = std::max(top, scores.at[i][j]);
      }
      top = warp_reduce<kColumns>(top, Max{});
      const T rescale = std::exp(row_max[i] - top);
      row_max[i] = top;
      sum_exp[i] *= rescale;
      masked_sum_exp[i] *= rescale;
      for (T& o : out.at[i]) o *= rescale;
#pragma unroll
      for (int j = 0; j < kJ; ++j) {
        const T m = full ? T{1} : mask_at(x.mask, rows.age[j], rows.span[j], first_query + i).m;
        const T u = std::exp(scores.at[i][j] - top);  // F3
        scores.at[i][j] = m * u;
        sum_exp[i] += u;  // F4: Z, N
        masked_sum_exp[i] += scores.at[i][j];
      }
    }
  }

  /// N + ε·Z of query i; 0 if it sees nothing.
  __device__ T denominator(int i, T epsilon) const {
    return warp_reduce<kColumns>(masked_sum_exp[i], Sum{}) +
           epsilon * warp_reduce<kColumns>(sum_exp[i], Sum{});
  }
};

/// weights *= g
template <class T, int D>
__device__ void apply_dropout(const AttentionArrays<T>& x, const QueryTile& queries,
                              const TileRows<T, D>& rows, ScoreFragment<T, D>& weights) {
  constexpr int kI = Tiling<T, D>::kQueriesOfThread;
#pragma unroll
  for (int j = 0; j < Tiling<T, D>::kRowsOfThread; ++j) {
    T g[kI] = {};
    draw_dropout(x, queries, rows.age[j], queries.first_of_thread(kI), g);
#pragma unroll
    for (int i = 0; i < kI; ++i) {
      weights.at[i][j] *= g[i];
    }
  }
}

template <class T, int D>
__global__ void __launch_bounds__(kThreads, Tiling<T, D>::kResident)
    forward(AttentionArrays<T> x, T* out, T* lse) {
  using Tile = Tiling<T, D>;
  constexpr int kI = Tile::kQueriesOfThread;
  const auto s = shared_buffers<Buffers<T, D>>();
  const QueryTile queries = query_tile(x, blockIdx.x, Tile::kQueries);
  const bool busy = queries.any_in_warp(kI);
  load_queries<T, D>(x, queries, x.q, x.scale, s.q);
  QueryFragment<T, D> sum_of_values;  // O
  OnlineSoftmax<T, D> softmax;
  VisibleRowQueue<T> visible(x, queries, s.queue, Tile::kQueue);
  while (const int count = visible.fill(Tile::kRows)) {
    const auto row_of = [&](int j) { return visible.row(j, count); };
    const TileRows<T, D> rows(x, queries.head, row_of);
    const bool full = count == Tile::kRows && visible.full(count);
    ScoreFragment<T, D> scores;
    add_position_scores<T, D>(x, queries, rows, s.q, s.band(), s.weights, scores);  // F2, second term
    __syncthreads();
    load_keys<T, D>(x, queries.head, row_of, s.keys);
    load_values<T, D>(x, queries.head, row_of, s.values);
    __syncthreads();
    if (busy) {
      product_of_rows<T, D>(scores, s.q, s.keys);  // F2, first term
      softmax.step(x, queries.first_of_thread(kI), rows, full, scores, sum_of_values);
      if (x.dropout) apply_dropout<T, D>(x, queries, rows, scores);
      store_scores<T, D>(scores, s.weights);
      __syncwarp();
      product_with_rows<T, D>(sum_of_values, s.weights, s.values, count);  // F5
    }
    visible.pop(count);
  }

#pragma unroll
  for (int i = 0; i < kI; ++i) {
    const T denominator = softmax.denominator(i, x.epsilon);
    const int query = queries.first_of_thread(kI) + i;
    if (query > queries.last()) continue;
    const bool any = denominator > 0;
    store_features(x, out + x.query_offset(queries.stream, query, queries.head), sum_of_values.at[i],
                   any ? 1 / denominator : T{0});  // F6
    if (column_of_thread() == 0)
      lse[x.statistic_offset(queries.stream, query, queries.head)] =
          any ? softmax.row_max[i] + std::log(denominator) : T{0};  // F7
  }
}

}  // namespace

template <class T>
void launch_forward(const AttentionArrays<T>& x, T* out, T* lse) {
  for_head_size(x.head_size, [&]<int D>() {
    launch("span_attention forward", forward<T, D>,
           static_cast<unsigned>(query_tiles(x, Tiling<T, D>::kQueries)), kThreads,
           shared_bytes<Buffers<T, D>>(), x, out, lse);
  });
}
template void launch_forward(const AttentionArrays<float>&, float*, float*);
template void launch_forward(const AttentionArrays<double>&, double*, double*);

}  // namespace fade::span_cuda
