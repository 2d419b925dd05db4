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

/// The rows of a tile of which this thread has scores, if P are the products (product.h).
template <class P>
struct RowsOfThread {
  using T = typename P::T;
  static constexpr int kRowsOfThread = P::kRowsOfThread;
  int32_t age[kRowsOfThread];  ///< kEmptyPlaceAge where the tile has no row
  T span[kRowsOfThread];

  /// row_of(j): index of the tile's row j, negative if it has none.
  template <class F>
  __device__ RowsOfThread(const AttentionArrays<T>& x, int head, F row_of) {
#pragma unroll
    for (int j = 0; j < kRowsOfThread; ++j) {
      const int32_t row = row_of(P::row(j));
      age[j] = row < 0 ? kEmptyPlaceAge : x.age[row];
      span[j] = row < 0 ? T{0} : x.mask.span_of(row, head);
    }
  }

  /// The smallest age, of at least `from`, of a row that has a position row for one of the queries; kNoAge if
  /// there is none. The same for all threads, if each P::kRowLanes lanes have all rows; all of them call it.
  __device__ int32_t next_near(const AttentionArrays<T>& x, const QueryTile& queries, int32_t from) const {
    int32_t nearest = kNoAge;
#pragma unroll
    for (int j = 0; j < kRowsOfThread; ++j) {
      if (age[j] >= from && age[j] + queries.first <= x.last_position && age[j] + queries.last() >= 1)
        nearest = std::min(nearest, age[j]);
    }
    return warp_reduce<P::kRowLanes>(nearest, Min{});
  }
};

/// The rows of a stream that a tile of queries sees, in the order of memory and then of the block. Invisible
/// rows are left out after reading their age and span, and take part in no product.
template <class T>
class VisibleRowQueue {
 public:
  /// `queue` has `capacity` places, at least kThreads more than the largest `want` below, and behind them
  /// kWarps places for the counts of the warps.
  __device__ VisibleRowQueue(const AttentionArrays<T>& x, const QueryTile& queries, int32_t* queue,
                             int capacity)
      : x_(x),
        queries_(queries),
        queue_(queue),
        counts_(queue + capacity),
        capacity_(capacity),
        memory_(x.start[queries.stream]),
        in_memory_(x.start[queries.stream + 1] - memory_),
        total_(in_memory_ + x.block) {}

  /// Reads on until `want` rows are queued: returns how many are, at most `want`; 0 at the end.
  /// All threads call it.
  __device__ int fill(int want) {
    while (count_ < want && next_ < total_) scan();
    return std::min(count_, want);
  }
  /// The index of the queue's row j, negative for j >= count.
  __device__ int32_t row(int j, int count) const { return j < count ? entry(j) >> 1 : -1; }
  /// True iff each query sees all of each of the first `count` rows: no mask is needed.
  __device__ bool full(int count) const {
    bool all = true;
    for (int j = static_cast<int>(threadIdx.x) % kWarp; j < count; j += kWarp) all &= entry(j) & 1;
    return __all_sync(~0u, all);
  }
  __device__ void pop(int count) {
    first_ = (first_ + count) % capacity_;
    count_ -= count;
  }

 private:
  __device__ int32_t entry(int j) const {
    const int at = first_ + j;
    return queue_[at < capacity_ ? at : at - capacity_];
  }

  /// Reads the next kThreads rows, one per thread, and appends the visible ones in order.
  __device__ void scan() {
    const int thread = static_cast<int>(threadIdx.x), lane = thread % kWarp, warp = thread / kWarp;
    const int at = next_ + thread;
    const int64_t row = at < in_memory_
                            ? memory_ + at
                            : x_.memory_rows + int64_t{queries_.stream} * x_.block + at - in_memory_;
    Visibility by_tile = Visibility::none;
    if (at < total_)
      by_tile = x_.mask.visibility(x_.age[row], x_.mask.span_of(row, queries_.head),
                                   {queries_.first, queries_.last()});
    const bool visible = by_tile != Visibility::none, full = by_tile == Visibility::full;
    const unsigned votes = __ballot_sync(~0u, visible);
    if (lane == 0) counts_[warp] = __popc(votes);
    __syncthreads();
    int place = first_ + count_ + __popc(votes & ((1u << lane) - 1));
    for (int w = 0; w < kWarps; ++w) {
      if (w < warp) place += counts_[w];
      count_ += counts_[w];
    }
    if (visible) queue_[place % capacity_] = static_cast<int32_t>(row << 1 | full);
    next_ += kThreads;
    __syncthreads();
  }

  const AttentionArrays<T>& x_;
  const QueryTile& queries_;
  int32_t *queue_, *counts_;
  int capacity_, memory_, in_memory_, total_;
  int next_ = 0;               // first row of the context not read yet
  int first_ = 0, count_ = 0;  // the queued rows, a ring: row << 1 | full
};

/// Which of this thread's weights of a tile dropout keeps: a bit of each, in one register. P::kept_bit(i, j) is
/// that of query P::query(i) and row P::row(j).
template <class P>
class KeptOfThread {
 public:
  using T = typename P::T;
  static_assert(P::kQueriesOfThread * P::kRowsOfThread <= 32);
  /// row_of as for RowsOfThread. queries.first is a multiple of the tile's queries, or of 32.
  template <class F>
  __device__ KeptOfThread(const AttentionArrays<T>& x, const QueryTile& queries, F row_of)
      : factor_(x.kept_factor) {
    if (!x.kept) return;
    const int words = static_cast<int>(query_words(x.block));
#pragma unroll
    for (int j = 0; j < P::kRowsOfThread; ++j) {
      const int32_t row = row_of(P::row(j));
#pragma unroll
      for (int i = 0; i < P::kQueriesOfThread; i += P::kQueriesOfWord) {
        const int query = queries.first + P::query(i);
        if (row < 0 || query >= x.block) continue;
        const int32_t word = x.kept[(int64_t{row} * x.heads + queries.head) * words + query / 32];
        bits_ |= (static_cast<uint32_t>(word) >> query % 32 & P::kQueriesInWord) << P::kept_bit(i, j);
      }
    }
  }
  /// g (F5).
  __device__ T factor(int i, int j) const { return bits_ >> P::kept_bit(i, j) & 1 ? factor_ : T{0}; }

 private:
  T factor_;
  uint32_t bits_ = 0;
};

}  // namespace fade::span_cuda
