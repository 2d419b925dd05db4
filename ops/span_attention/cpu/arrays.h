// What the CPU kernels' two halves share: span_attention_cpu.cpp spreads the work over the cores,
// span_attention_tiles.cpp does a piece of it with SIMD, compiled once an instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ops/span_attention/span_attention.h"

namespace fade {

/// Queries in a tile, which are the lanes of its vectors, and context rows in one.
inline constexpr int64_t kTile = 64;

/// The inputs' arrays and sizes (names as in span_attention.h).
template <class T>
struct AttentionArrays {
  const T *q, *kv, *pos, *span;
  const int32_t *start, *age;
  int64_t rows, head_size, positions;
  SpanAttentionSizes sizes;

  int64_t hidden() const { return sizes.heads * head_size; }
  /// Distances with a position row each, and all with one: slots share theirs.
  int64_t exact() const { return sizes.slots.count ? sizes.window : positions; }
  int64_t reach() const { return sizes.reach(positions); }
};

template <class T>
struct ForwardArrays : AttentionArrays<T> {
  T *out, *log_sum;
};

template <class T>
struct BackwardArrays : AttentionArrays<T> {
  const T *out, *log_sum, *grad;
  T *dq, *dkv;
  T* dspan;  ///< parts of it: expiring [K, N], adaptive [B, K]; else nullptr
};

/// One head of one stream.
struct Head {
  int64_t stream, head;
};

/// Cuts one buffer into 64-byte aligned pieces; without a buffer it only counts.
template <class T>
class Arena {
 public:
  explicit Arena(T* base) : base_(base) {}
  T* take(int64_t rows, int64_t columns = 1) {
    T* p = base_ ? base_ + used_ : nullptr;
    used_ += (rows * columns + 15) / 16 * 16;
    return p;
  }
  int64_t used() const { return used_; }

 private:
  T* base_;
  int64_t used_ = 0;
};

/// Columns of an array with a row a query or context row: head_size rounded up to whole vectors.
inline int64_t padded_head(int64_t head_size) { return (head_size + 15) / 16 * 16; }

/// Rows of an array with a row an age: those at which some query of a tile is at a distance of 1..reach.
inline int64_t ages_in_reach(int64_t reach) { return reach ? reach + kTile - 1 : 0; }

/// A thread's buffers. Those named ..._t have a column a query of the tile; q is scaled by 1/√D.
template <class T>
struct ForwardScratch {
  T *q, *q_t;          ///< [kTile, padded_head], [padded_head, kTile]
  T *keys, *values;    ///< [kTile, head_size]
  T* weights_t;        ///< [kTile rows, kTile]: scores, then weights
  T* mask_t;           ///< [kTile rows, kTile]: m, in tiles that need it
  T* dropout_t;        ///< [kTile rows, kTile]
  T* out_t;            ///< [padded_head, kTile]
  T* by_distance;      ///< [P, kTile] position scores
  T* by_age;           ///< [ages_in_reach, kTile] the same
  T* highest;          ///< [kTile] the greatest score so far, h
  T *faded_sum, *sum;  ///< [kTile] Σ m·exp(s − h), Σ exp(s − h)

  ForwardScratch(Arena<T>& arena, int64_t head_size, int64_t positions, int64_t reach)
      : q(arena.take(kTile, padded_head(head_size))),
        q_t(arena.take(padded_head(head_size), kTile)),
        keys(arena.take(kTile, head_size)),
        values(arena.take(kTile, head_size)),
        weights_t(arena.take(kTile, kTile)),
        mask_t(arena.take(kTile, kTile)),
        dropout_t(arena.take(kTile, kTile)),
        out_t(arena.take(padded_head(head_size), kTile)),
        by_distance(arena.take(positions, kTile)),
        by_age(arena.take(ages_in_reach(reach), kTile)),
        highest(arena.take(kTile)),
        faded_sum(arena.take(kTile)),
        sum(arena.take(kTile)) {}
};

template <class T>
struct BackwardScratch {
  T *q, *grad;             ///< [kTile, padded_head]
  T *q_t, *grad_t, *dq_t;  ///< [padded_head, kTile]
  T *keys, *values;        ///< [kTile, head_size]
  T *dkeys, *dvalues;      ///< [kTile, padded_head]
  T* dscores_t;            ///< [kTile rows, kTile]: scores, then their gradient
  T* weights_t;            ///< [kTile rows, kTile]: gradient of the weights, then the weights
  T* dropout_t;            ///< [kTile rows, kTile]
  T* by_distance;          ///< [P, kTile] position scores, later their gradient
  T *by_age, *dby_age;     ///< [ages_in_reach, kTile] the same
  T *delta, *log_sum;      ///< [kTile] Σ_d grad·out; as saved by forward

  BackwardScratch(Arena<T>& arena, int64_t head_size, int64_t positions, int64_t reach)
      : q(arena.take(kTile, padded_head(head_size))),
        grad(arena.take(kTile, padded_head(head_size))),
        q_t(arena.take(padded_head(head_size), kTile)),
        grad_t(arena.take(padded_head(head_size), kTile)),
        dq_t(arena.take(padded_head(head_size), kTile)),
        keys(arena.take(kTile, head_size)),
        values(arena.take(kTile, head_size)),
        dkeys(arena.take(kTile, padded_head(head_size))),
        dvalues(arena.take(kTile, padded_head(head_size))),
        dscores_t(arena.take(kTile, kTile)),
        weights_t(arena.take(kTile, kTile)),
        dropout_t(arena.take(kTile, kTile)),
        by_distance(arena.take(positions, kTile)),
        by_age(arena.take(ages_in_reach(reach), kTile)),
        dby_age(arena.take(ages_in_reach(reach), kTile)),
        delta(arena.take(kTile)),
        log_sum(arena.take(kTile)) {}
};

/// Elements a thread's buffers take.
template <template <class> class Scratch, class T>
int64_t scratch_size(const AttentionArrays<T>& x) {
  Arena<T> counter(nullptr);
  [[maybe_unused]] const Scratch<T> counted(counter, x.head_size, x.positions, x.reach());
  return counter.used();
}

/// Forward of the tile of queries that begins at `first_query`, with the best instructions this machine has.
template <class T>
void attend_forward(const ForwardArrays<T>& x, Head head, int64_t first_query, T* scratch);

/// Backward of all queries of a head: writes its columns of dq and dkv and its part of dspan, and adds to
/// dpos [P, padded_head].
template <class T>
void attend_backward(const BackwardArrays<T>& x, Head head, T* dpos, T* scratch);

}  // namespace fade
