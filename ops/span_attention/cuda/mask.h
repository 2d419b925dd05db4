// Which rows a tile of queries sees, the soft mask, and what dropout keeps.
#pragma once

#include "ops/span_attention/cuda/arrays.h"

namespace fade::span_cuda {

inline constexpr int32_t kEmptyPlaceAge = -(1 << 30);  ///< age of a place without a row: no query sees it
inline constexpr int32_t kNoAge = 1 << 30;

/// The mask of one query and row (F1): whether the row is in the query's domain; m; R·dm/de.
template <class T>
struct MaskEntry {
  bool visible;
  T m, slope;
};
template <class T>
__device__ MaskEntry<T> mask_at(const MaskFormula<T>& mask, int32_t age, T span, int query) {
  const T distance = static_cast<T>(age + query);
  return {.visible = mask.visible(mask.distances(age), span, distance),
          .m = mask.value(span, distance),
          .slope = mask.slope(span, distance)};
}

/// The rows of a tile, in shared memory: at[j] of each array is that of row j.
template <class P>
struct TileRows {
  using T = typename P::T;
  static constexpr int kRows = P::Tile::kRows;
  int32_t*
      index;  ///< of the context row << 1 | whether each query sees all of it; negative: the tile has no row
  int32_t* age;  ///< kEmptyPlaceAge where the tile has no row
  T* span;

  __device__ int32_t row(int j) const { return index[j] >> 1; }
  __device__ void put(int j, int32_t row, int32_t of_age, T of_span, bool full) const {
    index[j] = row << 1 | static_cast<int32_t>(full);
    age[j] = of_age;
    span[j] = of_span;
  }
  __device__ void put_none(int j) const { put(j, -1, kEmptyPlaceAge, T{0}, false); }

  /// True iff each query sees all of each of the kRows rows: no mask is needed. All lanes call it.
  __device__ bool full() const {
    bool all = true;
    for_rows_of_lane([&](int j) { all &= index[j] & 1; });
    return __all_sync(~0u, all);
  }
  /// The smallest age, of at least `from`, of a row that has a position row for one of the queries; kNoAge if
  /// there is none. The same for all lanes; all of them call it.
  __device__ int32_t next_near(const AttentionArrays<typename P::S>& x, const QueryTile& queries,
                               int32_t from) const {
    int32_t nearest = kNoAge;
    const int32_t first = std::max(from, 1 - queries.last()), last = x.last_position - queries.first;
    for_rows_of_lane([&](int j) {
      if (age[j] >= first && age[j] <= last) nearest = std::min(nearest, age[j]);
    });
    if (__all_sync(~0u, nearest == kNoAge)) return kNoAge;  // most tiles
    return warp_reduce(nearest, Min{});
  }

 private:
  /// f(j) for each row j that this lane looks at.
  template <class F>
  __device__ static void for_rows_of_lane(F f) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
    for (int n = 0; n < kRows; n += kWarp) {
      if (n + lane < kRows) f(n + lane);
    }
  }
};

/// The rows of a stream that a tile of queries sees, in the order of memory and then of the block. Invisible
/// rows are left out after reading their age and span, and take part in no product.
template <class P>
class VisibleRowQueue {
 public:
  using S = typename P::S;
  using T = typename P::T;
  static constexpr int kRows = P::Tile::kRows, kScan = P::Tile::kScan;
  /// Places: room for a tile that is not full yet and the rows that a scan finds; and for one that is worked on
  /// meanwhile. Tiles begin at multiples of their rows, so that each is in one piece.
  static constexpr int kPlaces = kScan + (P::kLoadsAhead ? 2 : 1) * kRows;
  static_assert(kPlaces % kRows == 0);

  /// `queue` has kPlaces places; `counts` kWarps.
  __device__ VisibleRowQueue(const AttentionArrays<S>& x, const QueryTile& queries, const TileRows<P>& queue,
                             int32_t* counts)
      : x_(x),
        queries_(queries),
        queue_(queue),
        counts_(counts),
        memory_(x.start[queries.stream]),
        in_memory_(x.start[queries.stream + 1] - memory_),
        total_(in_memory_ + x.block) {}

  /// Reads on until there are the rows of a tile, or no more. All threads call it.
  /// True unless the tile has no row. With P::kLoadsAhead the tile stays where it is until the next one is popped.
  __device__ bool fill() {
    while (count_ < kRows && next_ < total_) scan();
    if (count_ == 0) return false;
    if (count_ < kRows) {
      for (int j = count_ + static_cast<int>(threadIdx.x); j < kRows; j += kThreads)
        queue_.put_none(place(j));
      __syncthreads();
    }
    return true;
  }
  /// The tile.
  __device__ TileRows<P> tile() const {
    return {queue_.index + first_, queue_.age + first_, queue_.span + first_};
  }
  __device__ void pop() {
    first_ = place(kRows);
    count_ = std::max(count_ - kRows, 0);
  }

 private:
  __device__ int place(int j) const { return (first_ + j) % kPlaces; }

  /// Reads the next kScan rows, one per thread, and appends the visible ones in order.
  __device__ void scan() {
    const int thread = static_cast<int>(threadIdx.x), lane = thread % kWarp, warp = thread / kWarp;
    const int at = next_ + thread;
    const int64_t row = at < in_memory_
                            ? memory_ + at
                            : x_.memory_rows + int64_t{queries_.stream} * x_.block + at - in_memory_;
    Visibility by_tile = Visibility::none;
    int32_t age = 0;
    T span = 0;
    if (thread < kScan && at < total_) {
      age = x_.age[row];
      span = x_.mask.span_of(row, queries_.head);
      by_tile = x_.mask.visibility(age, span, {queries_.first, queries_.last()});
    }
    const bool visible = by_tile != Visibility::none;
    const unsigned votes = __ballot_sync(~0u, visible);
    if (lane == 0) counts_[warp] = __popc(votes);
    __syncthreads();
    int behind = count_ + __popc(votes & ((1u << lane) - 1));
    for (int w = 0; w < kWarps; ++w) {
      if (w < warp) behind += counts_[w];
      count_ += counts_[w];
    }
    if (visible) queue_.put(place(behind), static_cast<int32_t>(row), age, span, by_tile == Visibility::full);
    next_ += kScan;
    __syncthreads();
  }

  const AttentionArrays<S>& x_;
  const QueryTile& queries_;
  TileRows<P> queue_;
  int32_t* counts_;
  int memory_, in_memory_, total_;
  int next_ = 0;               // first row of the context not read yet
  int first_ = 0, count_ = 0;  // the queued rows, a ring
};

/// Which weights of a tile dropout keeps: words of 32 queries of a row, in shared memory. A thread loads one word at
/// most, while the tile's operands arrive.
template <class P>
class KeptOfTile {
 public:
  using S = typename P::S;
  using T = typename P::T;
  static constexpr int kRows = P::Tile::kRows, kPlaces = kRows * ((P::Tile::kQueries + 31) / 32);
  static_assert(kPlaces <= kThreads);

  /// `words` [kPlaces]; queries.first is a multiple of 32, or of the tile's queries where those are fewer.
  __device__ KeptOfTile(const AttentionArrays<S>& x, const QueryTile& queries, uint32_t* words)
      : factor_(x.kept_factor), words_(words), first_bit_(queries.first % 32 + P::query(0)) {}

  /// The word that this thread puts; without dropout, all bits. Where the tile has no row it is that of another one,
  /// and for queries beyond the block the last one: nothing has a weight there.
  __device__ static uint32_t load(const AttentionArrays<S>& x, const QueryTile& queries,
                                  const TileRows<P>& rows) {
    const int thread = static_cast<int>(threadIdx.x), words = static_cast<int>(query_words(x.block));
    if (!x.kept || thread >= kPlaces) return ~0u;
    const int word = std::min(queries.first / 32 + thread / kRows, words - 1);
    const RowsAt<const int32_t> of_rows{x.kept + queries.head * words + word,
                                        static_cast<uint32_t>(x.heads * words)};
    return *of_rows[std::max(rows.row(thread % kRows), 0)];
  }
  /// factor() may be called when all threads have put theirs and met.
  __device__ void put(uint32_t word) const {
    if (threadIdx.x < kPlaces) words_[threadIdx.x] = word;
  }
  /// g (F5) of query P::query(i) and row P::row(j).
  __device__ T factor(int i, int j) const {
    // Known when compiled; of all products, first_bit_ % 32 + behind % 32 < 32.
    const int behind = P::query(i) - P::query(0);
    const uint32_t word = words_[(first_bit_ / 32 + behind / 32) * kRows + P::row(j)];
    return word & 1u << first_bit_ % 32 << behind % 32 ? factor_ : T{0};
  }

 private:
  T factor_;
  uint32_t* words_;
  int first_bit_;  // of this thread, from the tile's first word on
};

}  // namespace fade::span_cuda
