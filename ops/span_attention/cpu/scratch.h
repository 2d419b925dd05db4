// The buffers of a thread of the CPU kernels.
#pragma once

#include "ops/span_attention/cpu/arrays.h"

namespace fade {

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

/// f.operator()<full, dropout>(), with both known at compile time.
template <class F>
void with_flags(bool full, bool dropout, F&& f) {
  if (full)
    dropout ? f.template operator()<true, true>() : f.template operator()<true, false>();
  else
    dropout ? f.template operator()<false, true>() : f.template operator()<false, false>();
}

/// Columns of an array with one row per query or context row: head_size rounded up to whole vectors.
inline int64_t padded_head(int64_t head_size) { return (head_size + 15) / 16 * 16; }

/// Rows of an array with one row per age: the ages at which some
/// query of a tile is at a distance of 1..reach.
inline int64_t ages_in_reach(int64_t reach) { return reach ? reach + kTile - 1 : 0; }

/// The buffers of a thread. q is scaled by 1/√D.
template <class T>
struct ForwardScratch {
  T *q, *q_t;                             ///< [kTile, padded_head], [padded_head, kTile]
  T *keys, *values;                       ///< [kTile, head_size]
  T* weights_t;                           ///< [kTile rows, kTile]: scores s, then g·m·u
  T* mask_t;                              ///< [kTile rows, kTile]: m, in tiles that need it
  T* dropout_t;                           ///< [kTile rows, kTile]
  T* out_t;                               ///< [padded_head, kTile]
  T* by_distance;                         ///< [P, kTile] position scores
  T* by_age;                              ///< [ages_in_reach, kTile] the same
  T *row_max, *sum_exp, *masked_sum_exp;  ///< [kTile] h, Z, N of F3 and F4, so far

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
        row_max(arena.take(kTile)),
        sum_exp(arena.take(kTile)),
        masked_sum_exp(arena.take(kTile)) {}
};

template <class T>
struct BackwardScratch {
  T *q, *grad;             ///< [kTile, padded_head]
  T *q_t, *grad_t, *dq_t;  ///< [padded_head, kTile]
  T *keys, *values;        ///< [kTile, head_size]
  T *dkeys, *dvalues;      ///< [kTile, padded_head]
  T* dscores_t;            ///< [kTile rows, kTile]: scores s, then their gradient dS
  T* weights_t;            ///< [kTile rows, kTile]: dO·v, then the weights after dropout, g·P
  T* dropout_t;            ///< [kTile rows, kTile]
  T* by_distance;          ///< [P, kTile] position scores, later their gradient
  T *by_age, *dby_age;     ///< [ages_in_reach, kTile] the same
  T *delta, *lse;          ///< [kTile] of B1 and F7

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
        lse(arena.take(kTile)) {}
};

/// Elements of a thread's buffers.
template <template <class> class Scratch, class T>
int64_t scratch_size(const AttentionArrays<T>& x) {
  Arena<T> counter(nullptr);
  [[maybe_unused]] const Scratch<T> counted(counter, x.head_size, x.positions, x.reach());
  return counter.used();
}

}  // namespace fade
