// Who sees whom: the rows of a tile, the soft mask and dropout. For the CUDA kernels of span attention.
#pragma once

#include "ops/span_attention/cuda/tiling.h"

namespace fade::span_cuda {

inline constexpr int32_t kNoRow = -(1 << 30);  ///< the age of a place that holds no row: no query sees it
inline constexpr int32_t kNoAge = 1 << 30;

struct Min {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return b < a ? b : a;
  }
};

/// Which consecutive queries of `range` can see a row, by its distance alone.
struct QueryRange {
  int first, last;
};
template <class T>
__device__ QueryRange within_reach(const Arrays<T>& x, int32_t age, QueryRange range) {
  const Distances seen = x.seen(age);
  return {std::max(range.first, seen.first - age), std::min(range.last, seen.last - age)};
}

/// The soft mask of one query and row.
template <class T>
struct Look {
  bool seen, on_ramp;
  T m;
};
template <class T>
__device__ Look<T> look(const Arrays<T>& x, int32_t age, T span, int query) {
  const Distances seen = x.seen(age);
  const int distance = age + query;
  const T left = span - static_cast<T>(distance), m = left * x.inverse_ramp + 1;
  return {distance >= seen.first && distance <= seen.last && left > x.floor, left <= 0 && left >= -x.ramp,
          m < 0   ? T{0}
          : m > 1 ? T{1}
                  : m};
}

/// This thread's rows of a tile.
template <class T, int kRowsOfThread>
struct RowsOfThread {
  int32_t age[kRowsOfThread];  ///< kNoRow where the tile has no row
  T span[kRowsOfThread];

  /// row_of(j): number of the tile's row j, negative if it has none.
  template <class F>
  __device__ RowsOfThread(const Arrays<T>& x, int head, F row_of) {
    FADE_UNROLL
    for (int j = 0; j < kRowsOfThread; ++j) {
      const int64_t row = row_of(column_of_thread() + j * kColumns);
      age[j] = row < 0 ? kNoRow : x.age[row];
      span[j] = row < 0 ? T{0} : x.span_of(row, head);
    }
  }

  /// The smallest age, of at least `from`, of a row that has a position row for one of the queries; kNoAge if
  /// there is none. The same for all threads; all of them call it.
  __device__ int32_t next_near(const Arrays<T>& x, const Queries& queries, int32_t from) const {
    int32_t nearest = kNoAge;
    FADE_UNROLL
    for (int j = 0; j < kRowsOfThread; ++j)
      if (age[j] >= from && age[j] + queries.first <= x.reach && age[j] + queries.last() >= 1)
        nearest = std::min(nearest, age[j]);
    return warp_reduce<kColumns>(nearest, Min{});
  }
};

/// The rows of a stream that a tile of queries sees, in the order of memory and then of the block. Rows that
/// no query of the tile sees are dropped here, from their ages and spans, and take no part in any product.
template <class T>
class SeenRows {
 public:
  /// `queue` has room for `capacity` numbers, at least kThreads more than the largest `want` below, and
  /// kThreads / kWarp for the warps' counts behind.
  __device__ SeenRows(const Arrays<T>& x, const Queries& queries, int32_t* queue, int capacity)
      : x_(x),
        queries_(queries),
        queue_(queue),
        counts_(queue + capacity),
        capacity_(capacity),
        memory_(x.start[queries.stream]),
        in_memory_(x.start[queries.stream + 1] - memory_),
        total_(in_memory_ + x.block) {}

  /// Looks for the next rows until there are `want`: how many there are, at most `want`; 0 at the end. All
  /// threads call it.
  __device__ int find(int want) {
    while (count_ < want && next_ < total_) scan();
    return std::min(count_, want);
  }
  /// The number of row j of those found, negative for j >= count.
  __device__ int64_t row(int j, int count) const { return j < count ? entry(j) >> 1 : -1; }
  /// True iff each query sees all of each of the first `count`: no mask is needed.
  __device__ bool full(int count) const {
    bool all = true;
    for (int j = static_cast<int>(threadIdx.x) % kWarp; j < count; j += kWarp) all &= entry(j) & 1;
    return __all_sync(~0u, all);
  }
  __device__ void drop(int count) {
    first_ = (first_ + count) % capacity_;
    count_ -= count;
  }

 private:
  __device__ int32_t entry(int j) const { return queue_[(first_ + j) % capacity_]; }

  __device__ void scan() {
    const int thread = static_cast<int>(threadIdx.x), lane = thread % kWarp, warp = thread / kWarp;
    const int at = next_ + thread;
    const int64_t row = at < in_memory_
                            ? memory_ + at
                            : x_.memory_rows + int64_t{queries_.stream} * x_.block + at - in_memory_;
    bool seen = false, full = false;
    if (at < total_) {
      const int32_t age = x_.age[row];
      const T span = x_.span_of(row, queries_.head);
      const QueryRange by = within_reach(x_, age, {queries_.first, queries_.last()});
      seen = by.first <= by.last && span - static_cast<T>(age + by.first) > x_.floor;
      full = by.first == queries_.first && by.last == queries_.last() &&
             span - static_cast<T>(age + by.last) > 0;
    }
    const unsigned votes = __ballot_sync(~0u, seen);
    if (lane == 0) counts_[warp] = __popc(votes);
    __syncthreads();
    int place = first_ + count_ + __popc(votes & ((1u << lane) - 1));
    for (int w = 0; w < kThreads / kWarp; ++w) {
      if (w < warp) place += counts_[w];
      count_ += counts_[w];
    }
    if (seen) queue_[place % capacity_] = static_cast<int32_t>(row << 1 | full);
    next_ += kThreads;
    __syncthreads();
  }

  const Arrays<T>& x_;
  const Queries& queries_;
  int32_t *queue_, *counts_;
  int capacity_, memory_, in_memory_, total_;
  int next_ = 0, first_ = 0, count_ = 0;  // first candidate not looked at; what the queue holds
};

/// factors[i]: what dropout multiplies the weight of query `first` + i and the row of this age by, 0 or
/// 1/(1 − p). One call of Philox decides about four queries; `first` is a multiple of the smaller of 4 and n.
template <class T, int n>
__device__ void draw_dropout(const Arrays<T>& x, const Queries& queries, int32_t age, int first,
                             T (&factors)[n]) {
  const uint64_t index = dropout_index(queries.stream, x.heads, queries.head, x.block, age, first);
  FADE_UNROLL
  for (int i = 0; i < n; i += 4) {
    const Philox4 words = philox(x.key, (index + static_cast<uint64_t>(i)) / 4);
    FADE_UNROLL
    for (int e = 0; e < std::min(4, n - i); ++e) {
      uint32_t word = words.v[e];
      if constexpr (n < 4) {
        const int which = static_cast<int>(index % 4) + e;  // selected, not indexed: stays in registers
        word = which < 2 ? which == 0 ? words.v[0] : words.v[1] : which == 2 ? words.v[2] : words.v[3];
      }
      factors[i + e] = (word >> 8) < x.dropped_below ? T{0} : x.kept;
    }
  }
}

}  // namespace fade::span_cuda
