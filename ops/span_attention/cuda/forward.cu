// Forward: each thread block works on a tile of queries of one head, and loops over the rows that they see.
#include <limits>

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
template <class P>
struct OnlineSoftmax {
  using T = typename P::T;
  static constexpr int kI = P::kQueriesOfThread, kJ = P::kRowsOfThread;
  static constexpr T kLowest = -1e30f;
  T row_max[kI], masked_sum_exp[kI] = {}, sum_exp[kI] = {};

  __device__ OnlineSoftmax() {
    for (T& h : row_max) h = kLowest;
  }

  /// Turns a tile's scores into m·u. Each query's h rises to the tile's maximum h', and its sums so far are
  /// multiplied by exp(h − h').
  __device__ void step(const AttentionArrays<T>& x, int first_query, const RowsOfThread<P>& rows, bool full,
                       typename P::Scores& scores, typename P::QuerySums& out) {
#pragma unroll
    for (int i = 0; i < kI; ++i) {
      const int query = first_query + P::query(i);
      T top = row_max[i];
#pragma unroll
      for (int j = 0; j < kJ; ++j) {
        if (!full && !mask_at(x.mask, rows.age[j], rows.span[j], query).visible)
          scores.at[i][j] = -std::numeric_limits<T>::infinity();  // so u = 0
        top = std::max(top, scores.at[i][j]);
      }
      top = warp_reduce<P::kRowLanes>(top, Max{});
      const T rescale = P::exp(row_max[i] - top);
      row_max[i] = top;
      sum_exp[i] *= rescale;
      masked_sum_exp[i] *= rescale;
      for (T& o : out.at[i]) o *= rescale;
#pragma unroll
      for (int j = 0; j < kJ; ++j) {
        const T m = full ? T{1} : mask_at(x.mask, rows.age[j], rows.span[j], query).m;
        const T u = P::exp(scores.at[i][j] - top);  // F3
        scores.at[i][j] = m * u;
        sum_exp[i] += u;  // F4: Z, N
        masked_sum_exp[i] += scores.at[i][j];
      }
    }
  }

  /// N + ε·Z of query i; 0 if it sees nothing.
  __device__ T denominator(int i, T epsilon) const {
    return warp_reduce<P::kRowLanes>(masked_sum_exp[i], Sum{}) +
           epsilon * warp_reduce<P::kRowLanes>(sum_exp[i], Sum{});
  }
};

/// weights *= g
template <class P>
__device__ void apply_dropout(const KeptOfThread<P>& kept, typename P::Scores& weights) {
#pragma unroll
  for (int j = 0; j < P::kRowsOfThread; ++j) {
#pragma unroll
    for (int i = 0; i < P::kQueriesOfThread; ++i) {
      weights.at[i][j] *= kept.factor(i, j);
    }
  }
}

template <class P, class T = typename P::T>
__global__ void __launch_bounds__(kThreads, P::Tile::kResident)
    forward(AttentionArrays<T> x, T* out, T* lse) {
  using Tile = typename P::Tile;
  const auto s = shared_buffers<Buffers<P>>();
  const QueryTile queries = query_tile(x, blockIdx.x, Tile::kQueries);
  const bool busy = P::busy(queries.count, Tile::kRows);
  load_queries<P>(x, queries, x.q, x.scale, s.q);
  typename P::QuerySums sum_of_values;  // O
  OnlineSoftmax<P> softmax;
  VisibleRowQueue<T> visible(x, queries, s.queue, Tile::kQueue);
  while (const int count = visible.fill(Tile::kRows)) {
    const auto row_of = [&](int j) { return visible.row(j, count); };
    const RowsOfThread<P> rows(x, queries.head, row_of);
    const KeptOfThread<P> kept(x, queries, row_of);
    const bool full = count == Tile::kRows && visible.full(count);
    typename P::Scores scores;
    add_position_scores<P>(x, queries, rows, rows, s.q, s.band(), s.weights, scores);  // F2, second term
    __syncthreads();
    load_keys_and_values<P>(x, queries.head, row_of, s.keys, s.values);
    __syncthreads();
    if (busy) {
      P::product_of_rows(scores, s.q, s.keys);  // F2, first term
      softmax.step(x, queries.first, rows, full, scores, sum_of_values);
      if (x.kept) apply_dropout(kept, scores);
      P::product_with_rows(sum_of_values, scores, s.weights, s.values, count);  // F5
    }
    visible.pop(count);
  }

  __syncthreads();
#pragma unroll
  for (int i = 0; i < P::kQueriesOfThread; ++i) {
    const T denominator = softmax.denominator(i, x.epsilon);
    const bool any = denominator > 0;
    put_features<P>(s.q + P::query(i) * Tile::kStride, sum_of_values.at[i],
                    any ? 1 / denominator : T{0});  // F6; O replaces q
    if (P::first_of_row_lanes() && P::query(i) < queries.count)
      lse[x.statistic_offset(queries.stream, queries.first + P::query(i), queries.head)] =
          any ? softmax.row_max[i] + std::log(denominator) : T{0};  // F7
  }
  __syncthreads();
  store_queries<P>(x, queries, s.q, out);
}

}  // namespace

template <class T>
void launch_forward(const AttentionArrays<T>& x, T* out, T* lse) {
  for_products(x, [&]<class P>() {
    launch("span_attention forward", forward<P>, static_cast<unsigned>(query_tiles(x, P::Tile::kQueries)),
           kThreads, shared_bytes<Buffers<P>>(), x, out, lse);
  });
}
template void launch_forward(const AttentionArrays<float>&, float*, float*);
template void launch_forward(const AttentionArrays<double>&, double*, double*);

}  // namespace fade::span_cuda
