// Backward to keys, values and spans (dkv, dspan): each thread block works on a tile of context rows of one
// head, and loops over the queries that see them.
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
  static constexpr int kStages = P::kLoadsAhead ? 2 : 1;  ///< tiles of queries
  S* keys = shared.array<S>(Tile::kRowTile);
  S* q = shared.array<S>(kStages * Tile::kQueryTile);
  S* values = shared.array<S>(Tile::kRowTile);
  S* grad = shared.array<S>(kStages * Tile::kQueryTile);
  /// Position rows, then scores by age; without P::kLoadsAhead scores by age, then g·P, then dS.
  S* band_or_scores = shared.array<S>(room_for<S, T>(P::kLoadsAhead ? Tile::kBand : 0, Tile::kScoreTile));
  T* lse = shared.array<T>(Tile::kQueries);
  T* delta = shared.array<T>(Tile::kQueries);
  TileRows<P> rows{shared.array<int32_t>(Tile::kRows), shared.array<int32_t>(Tile::kRows),
                   shared.array<T>(Tile::kRows)};
  T* dspan = shared.array<T>(kWarps * Tile::kRows);
  uint32_t* kept = shared.array<uint32_t>(KeptOfTile<P>::kPlaces);
  static_assert(Tile::kBand <= Tile::kRowTile + Tile::kQueryTile);
  /// Position rows: where they are not loaded ahead, in the place of values and grad.
  __device__ S* band() const { return P::kLoadsAhead ? band_or_scores : values; }
  __device__ T* scores() const { return reinterpret_cast<T*>(band_or_scores); }
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
template <class S>
__host__ __device__ int64_t memory_tiles(const AttentionArrays<S>& x, int size) {
  return x.memory_rows / size + x.streams;
}
template <class S>
int64_t row_tiles(const AttentionArrays<S>& x, int size) {
  return memory_tiles(x, size) + int64_t{x.streams} * ((x.block + size - 1) / size);
}

/// The rows of tile number n.
template <class S>
__device__ RowRange row_tile(const AttentionArrays<S>& x, int64_t n, int size) {
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

/// The same for all lanes; all of them call it.
template <class P, class S>
__device__ QueryRanges query_ranges(const AttentionArrays<S>& x, const TileRows<P>& rows) {
  const QueryRange block{0, x.block - 1};
  QueryRange some{x.block, -1}, full = block;
  for (int j = static_cast<int>(threadIdx.x) % kWarp; j < P::Tile::kRows; j += kWarp) {
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
  return {.some = {warp_reduce(some.first, Min{}), warp_reduce(some.last, Max{})},
          .full = {warp_reduce(full.first, Max{}), warp_reduce(full.last, Min{})}};
}

/// Writes a tile's rows, as row_of(j) says; they are there when all threads have met.
template <class P, class S, class F>
__device__ void put_rows(const AttentionArrays<S>& x, int head, F row_of, const TileRows<P>& rows) {
  for (int j = static_cast<int>(threadIdx.x); j < P::Tile::kRows; j += kThreads) {
    const int32_t row = row_of(j);
    if (row < 0)
      rows.put_none(j);
    else
      rows.put(j, row, x.age[row], x.mask.span_of(row, head), false);
  }
}

/// dspan[row] = the sum of all threads' parts; shared [warps, rows].
template <class P, class T>
__device__ void store_dspan(const T* own, T* shared, int count, T* dspan) {
  using Tile = typename P::Tile;
  const int thread = static_cast<int>(threadIdx.x);
  if constexpr (P::kByRows) {  // a quad of lanes has all queries of its rows
    for (int j = 0; j < P::kRowsOfThread; ++j) {
      const T sum = warp_reduce<P::kRowLanes>(own[j], Sum{});
      if (P::stores(j) && P::first_of_row_lanes() && P::row(j) < count) dspan[P::row(j)] = sum;
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

// With P::kLoadsAhead the queries of the next tile arrive while this one is worked on, and its position rows while
// q·k is computed.
template <class P, class S = typename P::S>
__global__ void __launch_bounds__(kThreads, P::Tile::kResident)
    backward_dkv(AttentionArrays<S> x, BackwardInputs<S> b, S* dkv, compute_t<S>* dspan) {
  using T = typename P::T;
  using Tile = typename P::Tile;
  constexpr bool kAhead = P::kLoadsAhead;
  const auto s = shared_buffers<Buffers<P>>();
  const int head = static_cast<int>(blockIdx.x % x.heads);
  const RowRange tile = row_tile(x, blockIdx.x / x.heads, Tile::kRows);
  if (tile.count == 0) return;
  const TileRows<P>& rows = s.rows;
  put_rows(x, head, tile.rows(), rows);
  load_keys_and_values<P>(x, head, tile.rows(), s.keys, s.values);
  __syncthreads();
  const auto row_of = [=](int j) { return rows.row(j); };  // read there, to save registers
  const QueryRanges seen_by = query_ranges(x, rows);

  const auto queries_from = [&](int first) {
    return QueryTile{tile.stream, head, first, std::min(int{Tile::kQueries}, x.block - first)};
  };
  const auto start_queries = [&](int first, int stage) {
    if (first <= seen_by.some.last) {
      const QueryTile queries = queries_from(first);
      start_tile<P, Tile::kQueries>(x, rows_of(x, queries, x.q), queries.rows(),
                                    s.q + stage * Tile::kQueryTile);
      start_tile<P, Tile::kQueries>(x, rows_of(x, queries, b.grad), queries.rows(),
                                    s.grad + stage * Tile::kQueryTile);
    }
    close_copies();
  };
  typename P::RowSums dkeys, dvalues;
  T dspan_of_thread[P::kRowsOfThread] = {};
  constexpr int kAligned = std::min(32, int{Tile::kQueries});  // for KeptOfTile
  int first = seen_by.some.first / kAligned * kAligned, stage = 0;
  if constexpr (kAhead) start_queries(first, 0);
  for (; first <= seen_by.some.last; first += Tile::kQueries) {
    const QueryTile queries = queries_from(first);
    const KeptOfTile<P> kept(x, queries, s.kept);
    const uint32_t kept_word = KeptOfTile<P>::load(x, queries, rows);
    const bool full = seen_by.full.first <= first && queries.last() <= seen_by.full.last;
    const S *const q = s.q + stage * Tile::kQueryTile, *const grad = s.grad + stage * Tile::kQueryTile;
    const int32_t near = rows.next_near(x, queries, kEmptyPlaceAge + 1);
    const bool busy = P::busy(queries.count, tile.count);
    typename P::Scores scores, dweights;
    if constexpr (kAhead) {
      wait_for_copies<0>();
      __syncthreads();  // q and dO are there; those before are no longer needed, nor is the band
      load_statistics<P>(x, b, queries, s.lse, s.delta);
      if (near != kNoAge) start_band<P>(x, queries, near, s.band());
      close_copies();
      stage = 1 - stage;
      start_queries(first + Tile::kQueries, stage);
      if (busy) P::product_of_rows(scores, q, s.keys);  // F2, first term
      kept.put(kept_word);
      wait_for_copies<1>();
      __syncthreads();  // the band, the statistics and the words of dropout are there
      add_position_scores<P>(x, queries, rows, near, true, q, s.band(), s.scores(),
                             scores);  // F2, second term
    } else {
      __syncthreads();
      if (near != kNoAge)  // the band overwrites the values and dO
        load_queries<P>(x, queries, x.q, s.q);
      else
        load_queries_and_grad<P>(x, queries, b.grad, s.q, s.grad);
      load_statistics<P>(x, b, queries, s.lse, s.delta);
      kept.put(kept_word);
      add_position_scores<P>(x, queries, rows, near, false, q, s.band(), s.scores(), scores);
      if (near != kNoAge) {
        load_values<P>(x, head, row_of, s.values);
        load_queries<P>(x, queries, b.grad, s.grad);
      }
      __syncthreads();
      if (busy) P::product_of_rows(scores, q, s.keys);
    }
    if (busy) {
      P::product_of_rows(dweights, grad, s.values);  // B4: dO·v
      softmax_backward_tile<P>(x, queries, rows, kept, full, s.lse, s.delta, scores, dweights,
                               dspan_of_thread);
    }
    // Forward was O = Σ_j g·P·v and s = q·k/√D; so dv = Σ_i g·P·dO and dk = Σ_i dS·q/√D.
    if constexpr (P::kByRows) {
      if (!busy) continue;
      P::product_with_queries(dvalues, dweights, grad);  // B7
      P::product_with_queries(dkeys, scores, q);         // B8
    } else {
      if (busy) P::store_scores(dweights, s.scores());
      __syncthreads();
      P::product_with_queries(dvalues, s.scores(), s.grad, queries.count);  // B7
      __syncthreads();
      P::store_scores(scores, s.scores());
      __syncthreads();
      P::product_with_queries(dkeys, s.scores(), s.q, queries.count);  // B8
    }
  }

  __syncthreads();
#pragma unroll
  for (int j = 0; j < P::kSumRows; ++j) {  // dk and dv replace the keys and values
    put_features<P>(s.keys + P::sum_row(j) * Tile::kStride, dkeys.at[j], x.scale);
    put_features<P>(s.values + P::sum_row(j) * Tile::kStride, dvalues.at[j]);
  }
  __syncthreads();
  store_tile<P, Tile::kRows>(x, s.keys, row_of, x.keys(dkv, head));
  store_tile<P, Tile::kRows>(x, s.values, row_of, x.values(dkv, head));
  if (dspan) store_dspan<P>(dspan_of_thread, s.dspan, tile.count, dspan + head * x.rows() + rows.row(0));
}

}  // namespace

template <class S>
void launch_backward_dkv(const AttentionArrays<S>& x, const BackwardInputs<S>& b, S* dkv,
                         compute_t<S>* dspan) {
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
template void launch_backward_dkv(const AttentionArrays<bf16>&, const BackwardInputs<bf16>&, bf16*, float*);

}  // namespace fade::span_cuda
