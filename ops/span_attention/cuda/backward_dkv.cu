// Backward to keys, values and spans (dkv, dspan): each thread block works on a tile of context rows of one
// head, and loops over the queries that see them.
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
  T* grad = shared.array<T>(Tile::kQueryTile);
  T* scores = shared.array<T>(Tile::kScoreTile);  ///< scores by age, then g·P, then dS
  T* lse = shared.array<T>(Tile::kQueries);
  T* delta = shared.array<T>(Tile::kQueries);
  T* dspan = shared.array<T>(kWarps * Tile::kRows);
  static_assert(Tile::kBand <= Tile::kRowTile + Tile::kQueryTile);
  /// Position rows, in the place of values and grad.
  __device__ T* band() const { return values; }
};

/// Context rows [first, first + count) of a stream; count may be 0.
struct RowRange {
  int stream, count;
  int64_t first;
  /// A function of j: the index of row j, negative if there is none.
  __device__ auto rows() const {
    return [*this](int j) { return j < count ? static_cast<int32_t>(first) + j : -1; };
  }
};

/// Tiles of all streams' memories, at most. Stream b's begin at number start[b]/size + b:
/// that leaves room for its last tile, which may be partial, and needs no sum over the streams before it.
/// Some numbers stay unused.
template <class T>
__host__ __device__ int64_t memory_tiles(const AttentionArrays<T>& x, int size) {
  return x.memory_rows / size + x.streams;
}
template <class T>
int64_t row_tiles(const AttentionArrays<T>& x, int size) {
  return memory_tiles(x, size) + int64_t{x.streams} * ((x.block + size - 1) / size);
}

/// The rows of tile number n.
template <class T>
__device__ RowRange row_tile(const AttentionArrays<T>& x, int64_t n, int size) {
  const int64_t in_memory = memory_tiles(x, size);
  if (n >= in_memory) {
    const int tiles = (x.block + size - 1) / size, stream = static_cast<int>((n - in_memory) / tiles);
    const int first = static_cast<int>((n - in_memory) % tiles) * size;
    return {.stream = stream,
            .count = std::min(size, x.block - first),
            .first = x.memory_rows + int64_t{stream} * x.block + first};
  }
  int low = 0, high = x.streams;  // the last stream that begins at or before n is in [low, high)
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    (x.start[middle] / size + middle <= n ? low : high) = middle;
  }
  const int64_t first = x.start[low] + (n - x.start[low] / size - low) * size;
  return {.stream = low,
          .count = static_cast<int>(std::clamp<int64_t>(x.start[low + 1] - first, 0, size)),
          .first = first};
}

/// The queries that see some of a tile's rows, and those that see all of each of them (where no
/// mask is needed).
struct QueryRanges {
  QueryRange some, full;
};

template <class P, class T>
__device__ QueryRanges query_ranges(const AttentionArrays<T>& x, const RowsOfThread<P>& rows) {
  const QueryRange block{0, x.block - 1};
  QueryRange some{x.block, -1}, full = block;
  for (int j = 0; j < P::kRowsOfThread; ++j) {
    if (rows.age[j] == kEmptyPlaceAge) {
      full.last = -1;
      continue;
    }
    const QueryRange visible = x.mask.visible_queries(rows.age[j], rows.span[j], block);
    const QueryRange all = x.mask.full_queries(rows.age[j], rows.span[j], block);
    if (visible.first <= visible.last) {
      some.first = std::min(some.first, visible.first);
      some.last = std::max(some.last, visible.last);
    }
    full.first = std::max(full.first, all.first);
    full.last = std::min(full.last, all.last);
  }
  return {
      .some = {warp_reduce<P::kRowLanes>(some.first, Min{}), warp_reduce<P::kRowLanes>(some.last, Max{})},
      .full = {warp_reduce<P::kRowLanes>(full.first, Max{}), warp_reduce<P::kRowLanes>(full.last, Min{})}};
}

/// The rows of which this thread has scores. `all` has, in each P::AllRows::kRowLanes lanes, all rows of the
/// tile; `row_of` as there.
template <class P, class F>
__device__ decltype(auto) own_rows(const RowsOfThread<typename P::AllRows>& all,
                                   const AttentionArrays<typename P::T>& x, int head, F row_of) {
  if constexpr (P::kByRows)
    return RowsOfThread<P>(x, head, row_of);
  else
    return (all);
}

/// dspan[row] = the sum of all threads' parts; shared [warps, rows].
template <class P, class T>
__device__ void store_dspan(const T* own, T* shared, int count, T* dspan) {
  using Tile = typename P::Tile;
  const int thread = static_cast<int>(threadIdx.x);
  if constexpr (P::kByRows) {  // a quad of lanes has all queries of its rows
    for (int j = 0; j < P::kRowsOfThread; ++j) {
      const T sum = warp_reduce<P::kRowLanes>(own[j], Sum{});
      if (P::first_of_row_lanes() && P::row(j) < count) dspan[P::row(j)] = sum;
    }
  } else {
    for (int j = 0; j < P::kRowsOfThread; ++j) {
      const T both = own[j] + __shfl_xor_sync(~0u, own[j], kColumns);  // of the warp's two groups of queries
      if (thread % kWarp < kColumns)
        shared[thread / kWarp * Tile::kRows + j * kColumns + column_of_thread()] = both;
    }
    __syncthreads();
    if (thread >= count) return;
    T sum = 0;
    for (int warp = 0; warp < kWarps; ++warp) sum += shared[warp * Tile::kRows + thread];
    dspan[thread] = sum;
  }
}

template <class P, class T = typename P::T>
__global__ void __launch_bounds__(kThreads, P::Tile::kResident)
    backward_dkv(AttentionArrays<T> x, BackwardInputs<T> b, T* dkv, T* dspan) {
  using Tile = typename P::Tile;
  const auto s = shared_buffers<Buffers<P>>();
  const int head = static_cast<int>(blockIdx.x % x.heads);
  const RowRange tile = row_tile(x, blockIdx.x / x.heads, Tile::kRows);
  if (tile.count == 0) return;
  const auto row_of = tile.rows();
  const RowsOfThread<typename P::AllRows> all(x, head, row_of);
  const auto& rows = own_rows<P>(all, x, head, row_of);
  const QueryRanges seen_by = query_ranges(x, all);
  load_keys<P>(x, head, row_of, s.keys);

  typename P::RowSums dkeys, dvalues;
  T dspan_of_thread[P::kRowsOfThread] = {};
  bool have_values = false;                                    // the band overwrites them
  constexpr int kAligned = std::min(32, int{Tile::kQueries});  // for KeptOfThread
  for (int first = seen_by.some.first / kAligned * kAligned; first <= seen_by.some.last;
       first += Tile::kQueries) {
    const QueryTile queries{tile.stream, head, first, std::min(int{Tile::kQueries}, x.block - first)};
    const KeptOfThread<P> kept(x, queries, row_of);
    const bool full = seen_by.full.first <= first && queries.last() <= seen_by.full.last;
    __syncthreads();
    const bool near = all.next_near(x, queries, kEmptyPlaceAge + 1) != kNoAge;  // the band overwrites dO
    if (near)
      load_queries<P>(x, queries, x.q, x.scale, s.q);
    else
      load_queries_and_grad<P>(x, queries, b.grad, s.q, s.grad);
    load_statistics<Tile::kQueries>(x, b, queries, s.lse, s.delta);
    typename P::Scores scores, dweights;
    if (add_position_scores<P>(x, queries, all, rows, s.q, s.band(), s.scores, scores)) {  // F2, second term
      have_values = false;
      __syncthreads();
    }
    if (!have_values) load_values<P>(x, head, row_of, s.values);
    have_values = true;
    if (near) load_queries<P>(x, queries, b.grad, 1, s.grad);
    __syncthreads();
    const bool busy = P::busy(queries.count, tile.count);
    if (busy) {
      P::product_of_rows(scores, s.q, s.keys);         // F2, first term
      P::product_of_rows(dweights, s.grad, s.values);  // B4: dO·v
      softmax_backward_tile<P>(x, queries, rows, kept, full, s.lse, s.delta, scores, dweights,
                               dspan_of_thread);
    }
    // Forward was O = Σ_j g·P·v and s = q·k/√D; so dv = Σ_i g·P·dO and dk = Σ_i dS·q/√D. (s.q is q/√D.)
    if constexpr (P::kByRows) {
      if (!busy) continue;
      P::product_with_queries(dvalues, dweights, s.grad);  // B7
      P::product_with_queries(dkeys, scores, s.q);         // B8
    } else {
      if (busy) P::store_scores(dweights, s.scores);
      __syncthreads();
      P::product_with_queries(dvalues, s.scores, s.grad, queries.count);  // B7
      __syncthreads();
      P::store_scores(scores, s.scores);
      __syncthreads();
      P::product_with_queries(dkeys, s.scores, s.q, queries.count);  // B8
    }
  }

  __syncthreads();
#pragma unroll
  for (int j = 0; j < P::kSumRows; ++j) {  // dk and dv replace the keys and values
    put_features<P>(s.keys + P::sum_row(j) * Tile::kStride, dkeys.at[j]);
    put_features<P>(s.values + P::sum_row(j) * Tile::kStride, dvalues.at[j]);
  }
  __syncthreads();
  store_tile<P, Tile::kRows>(x, s.keys, row_of, x.keys(dkv, head));
  store_tile<P, Tile::kRows>(x, s.values, row_of, x.values(dkv, head));
  if (dspan) store_dspan<P>(dspan_of_thread, s.dspan, tile.count, dspan + head * x.rows() + tile.first);
}

}  // namespace

template <class T>
void launch_backward_dkv(const AttentionArrays<T>& x, const BackwardInputs<T>& b, T* dkv, T* dspan) {
  for_products(x, [&]<class P>() {
    launch("span_attention backward_dkv", backward_dkv<typename P::ByRows>,
           static_cast<unsigned>(row_tiles(x, P::Tile::kRows) * x.heads), kThreads,
           shared_bytes<Buffers<typename P::ByRows>>(), x, b, dkv, dspan);
  });
}
template void launch_backward_dkv(const AttentionArrays<float>&, const BackwardInputs<float>&, float*,
                                  float*);
template void launch_backward_dkv(const AttentionArrays<double>&, const BackwardInputs<double>&, double*,
                                  double*);

}  // namespace fade::span_cuda
