// Backward to keys, values and spans: a block a tile of context rows of a head, which goes through the
// queries that see them.
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
  T* grad = values + Tile::kRowTile;
  T* band = values;  ///< in the place of values and grad
  T* scores = grad + Tile::kQueryTile;
  T* log_sum = scores + Tile::kScoreTile;
  T* delta = log_sum + Tile::kQueries;
  T* dspan = delta + Tile::kQueries;  ///< [groups, rows]
};
template <class T, int D>
constexpr size_t shared_bytes() {
  using Tile = Tiling<T, D>;
  return sizeof(T) * (2 * Tile::kQueryTile + 2 * Tile::kRowTile + Tile::kScoreTile + 2 * Tile::kQueries +
                      kThreads / kWarp * Tile::kRows);
}

/// Context rows [first, first + count) of a stream; count may be 0.
struct RowTile {
  int stream, count;
  int64_t first;
};

/// Tiles of all streams' memories, at most. Stream b's begin at number start[b]/size + b: that leaves room
/// for its last tile, which is a part of one, and needs no sum over the streams before it. Some numbers stay
/// unused.
template <class T>
__host__ __device__ int64_t memory_tiles(const Arrays<T>& x, int size) {
  return x.memory_rows / size + x.streams;
}
template <class T>
int64_t row_tiles(const Arrays<T>& x, int size) {
  return memory_tiles(x, size) + int64_t{x.streams} * ((x.block + size - 1) / size);
}

template <class T>
__device__ RowTile row_tile(const Arrays<T>& x, int64_t n, int size) {
  const int64_t in_memory = memory_tiles(x, size);
  if (n >= in_memory) {
    const int tiles = (x.block + size - 1) / size, stream = static_cast<int>((n - in_memory) / tiles);
    const int first = static_cast<int>((n - in_memory) % tiles) * size;
    return {stream, std::min(size, x.block - first), x.memory_rows + int64_t{stream} * x.block + first};
  }
  int low = 0, high = x.streams;  // the last stream that begins at or before n is in [low, high)
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    (x.start[middle] / size + middle <= n ? low : high) = middle;
  }
  const int64_t first = x.start[low] + (n - x.start[low] / size - low) * size;
  return {low, static_cast<int>(std::clamp<int64_t>(x.start[low + 1] - first, 0, size)), first};
}

/// The queries that see some of the tile's rows, and those that see all of them in full; none: last < first.
struct Audience {
  QueryRange some, all;
};

template <class T, int D>
__device__ Audience audience_of(const Arrays<T>& x, const TileRows<T, D>& rows) {
  const QueryRange block{0, x.block - 1};
  Audience a{{x.block, -1}, block};
  for (int j = 0; j < Tiling<T, D>::kRowsOfThread; ++j) {
    if (rows.age[j] == kNoRow) {
      a.all.last = -1;
      continue;
    }
    const QueryRange by = within_reach(x, rows.age[j], block);
    // Query i has `left` − i of the row's span left. The ends are rounded to the safe side.
    const T left = rows.span[j] - static_cast<T>(rows.age[j]), reach = static_cast<T>(x.block);
    const int fading = static_cast<int>(std::min(std::max(left - x.floor, T{-2}), reach)) + 1;
    const int lasting = static_cast<int>(std::min(std::max(left, T{0}), reach)) - 2;
    if (const int last = std::min(by.last, fading); by.first <= last) {
      a.some.first = std::min(a.some.first, by.first);
      a.some.last = std::max(a.some.last, last);
    }
    a.all.first = std::max(a.all.first, by.first);
    a.all.last = std::min(a.all.last, left > reach ? by.last : std::min(by.last, lasting));
  }
  return {{warp_reduce<kColumns>(a.some.first, Min{}), warp_reduce<kColumns>(a.some.last, Max{})},
          {warp_reduce<kColumns>(a.all.first, Max{}), warp_reduce<kColumns>(a.all.last, Min{})}};
}

/// dspan[row] = the sum over all threads of their parts.
template <class T, int D>
__device__ void store_dspan(const T* mine, T* shared, int count, T* dspan) {
  using Tile = Tiling<T, D>;
  const int thread = static_cast<int>(threadIdx.x);
  for (int j = 0; j < Tile::kRowsOfThread; ++j) {
    const T both = mine[j] + __shfl_xor_sync(~0u, mine[j], kColumns);  // of the warp's two groups of queries
    if (thread % kWarp < kColumns)
      shared[thread / kWarp * Tile::kRows + j * kColumns + column_of_thread()] = both;
  }
  __syncthreads();
  if (thread >= count) return;
  T sum = 0;
  for (int warp = 0; warp < kThreads / kWarp; ++warp) sum += shared[warp * Tile::kRows + thread];
  dspan[thread] = sum;
}

template <class T, int D>
__global__ void __launch_bounds__(kThreads) attend_to_rows(Arrays<T> x, Saved<T> saved, T* dkv, T* dspan) {
  using Tile = Tiling<T, D>;
  const Buffers<T, D> s;
  const int head = static_cast<int>(blockIdx.x % x.heads);
  const RowTile tile = row_tile(x, blockIdx.x / x.heads, Tile::kRows);
  if (tile.count == 0) return;
  const auto row_of = [&](int j) { return j < tile.count ? tile.first + j : -1; };
  const TileRows<T, D> rows(x, head, row_of);
  const Audience audience = audience_of<T, D>(x, rows);
  load_keys<T, D>(x, head, row_of, s.keys);

  RowFragment<T, D> dkeys, dvalues;
  T dspan_of_thread[Tile::kRowsOfThread] = {};
  bool have_values = false;
  for (int first = audience.some.first / kGroups * kGroups; first <= audience.some.last;
       first += Tile::kQueries) {
    const Queries queries{tile.stream, head, first, std::min(int{Tile::kQueries}, x.block - first)};
    const bool full = audience.all.first <= first && queries.last() <= audience.all.last;
    __syncthreads();
    load_queries<T, D>(x, queries, x.q, x.scale, s.q);
    load_sums<Tile::kQueries>(x, saved, queries, s.log_sum, s.delta);
    ScoreFragment<T, D> scores, dweights;
    if (add_position_scores<T, D>(x, queries, rows, s.q, s.band, s.scores, scores)) {
      have_values = false;
      __syncthreads();
    }
    if (!have_values) load_values<T, D>(x, head, row_of, s.values);
    have_values = true;
    load_queries<T, D>(x, queries, saved.grad, 1, s.grad);
    __syncthreads();
    if (queries.any_in_warp(Tile::kQueriesOfThread)) {
      product_of_rows<T, D>(scores, s.q, s.keys);
      product_of_rows<T, D>(dweights, s.grad, s.values);
      soften_backward<T, D>(x, queries, rows, full, s.log_sum, s.delta, scores, dweights, dspan_of_thread);
      store_scores<T, D>(dweights, s.scores);
    }
    __syncthreads();
    product_with_queries<T, D>(dvalues, s.scores, s.grad, queries.count);
    __syncthreads();
    store_scores<T, D>(scores, s.scores);
    __syncthreads();
    product_with_queries<T, D>(dkeys, s.scores, s.q, queries.count);
  }

  FADE_UNROLL
  for (int j = 0; j < Tile::kRowsOfGroup; ++j) {
    const int row = group_of_thread() * Tile::kRowsOfGroup + j;
    if (row >= tile.count) continue;
    T* to = dkv + (tile.first + row) * 2 * x.hidden() + head * x.head_size;
    store_features(x, to, dkeys.at[j]);
    store_features(x, to + x.hidden(), dvalues.at[j]);
  }
  if (dspan) store_dspan<T, D>(dspan_of_thread, s.dspan, tile.count, dspan + head * x.rows() + tile.first);
}

}  // namespace

template <class T>
void launch_backward_rows(const Arrays<T>& x, const Saved<T>& saved, T* dkv, T* dspan) {
  for_head_size(x.head_size, [&]<int D>() {
    static_assert(shared_bytes<T, D>() <= kMostShared);
    launch("span_attention backward to rows", attend_to_rows<T, D>,
           static_cast<unsigned>(row_tiles(x, Tiling<T, D>::kRows) * x.heads), kThreads, shared_bytes<T, D>(),
           x, saved, dkv, dspan);
  });
}
template void launch_backward_rows(const Arrays<float>&, const Saved<float>&, float*, float*);
template void launch_backward_rows(const Arrays<double>&, const Saved<double>&, double*, double*);

}  // namespace fade::span_cuda
