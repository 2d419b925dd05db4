// The buffers of a thread of the CPU kernels.
#pragma once

#include <algorithm>

#include "ops/span_attention/cpu/arrays.h"

namespace fade {

/// f.operator()<fades, dropout>(), with both known at compile time.
template <class F>
void with_flags(bool fades, bool dropout, F&& f) {
  if (fades)
    dropout ? f.template operator()<true, true>() : f.template operator()<true, false>();
  else
    dropout ? f.template operator()<false, true>() : f.template operator()<false, false>();
}

/// Columns of an array with one row per query or context row: head_size rounded up to whole vectors.
inline int64_t padded_head(int64_t head_size) { return (head_size + 15) / 16 * 16; }

/// Rows of an array with one row per age: the ages at which some query of a tile is 1..last_position away.
inline int64_t ages_with_position(int64_t last_position) {
  return last_position ? last_position + kTile - 1 : 0;
}

/// Cuts one buffer into 64-byte aligned arrays; without a buffer it only counts.
template <class T>
struct Arena {
  T* base;
  int64_t positions, padded, ages;  ///< sizes of arrays
  int64_t used = 0;                 ///< elements taken

  Arena(const AttentionArrays<T>& x, T* buffer)
      : base(buffer),
        positions(x.positions),
        padded(padded_head(x.head_size)),
        ages(ages_with_position(x.last_position())) {}

  T* take(int64_t rows, int64_t columns = 1) {
    T* p = base ? base + used : nullptr;
    used += (rows * columns + 15) / 16 * 16;
    return p;
  }
};

/// The buffers of a thread, in the order in which they lie in its arena.
template <class T>
struct ForwardScratch {
  Arena<T> arena;
  T* q = arena.take(kTile, arena.padded);  ///< scaled by 1/√D
  T* q_t = arena.take(arena.padded, kTile);
  T* weights_t =
      arena.take(kTile, kTile);  ///< [rows, queries]: scores s, then m·u of the weights that are kept
  T* mask_t = arena.take(kTile, kTile);  ///< m, in tiles with rows that fade
  uint64_t* kept =
      reinterpret_cast<uint64_t*>(arena.take(kTile, sizeof(uint64_t) / sizeof(T)));  ///< of load_kept
  T* out_t = arena.take(arena.padded, kTile);
  T* by_distance = arena.take(arena.positions, kTile);  ///< position scores
  T* by_age = arena.take(arena.ages, kTile);            ///< the same
  T* row_max = arena.take(kTile);                       ///< h of F3 times log2(e), so far
  T* sum_exp = arena.take(kTile);                       ///< Z of F4, so far
  T* masked_sum_exp = arena.take(kTile);                ///< N of F4, so far

  /// The same of the tile's queries from number `query` on, without q.
  ForwardScratch from(int64_t query) const {
    ForwardScratch s = *this;
    for (T** columns : {&s.q_t, &s.weights_t, &s.mask_t, &s.out_t, &s.row_max, &s.sum_exp, &s.masked_sum_exp})
      *columns += query;
    s.by_age += query - query * kTile;  // query 0 of an age is at the distance at which `query` was
    return s;
  }
};

/// The buffers for a single query: of the rows that it sees.
template <class T>
struct QueryScratch {
  Arena<T> arena;
  int64_t rows;                                                      ///< of the longest stream's context
  T* score = arena.take(rows);                                       ///< s, then m·u
  T* mask = arena.take(rows);                                        ///< m
  T* zeros = arena.take(arena.padded);                               ///< of a row without a position
  int32_t* row = reinterpret_cast<int32_t*>(arena.take(rows));       ///< in the context
  int32_t* position = reinterpret_cast<int32_t*>(arena.take(rows));  ///< its position row; −1: none

  QueryScratch(const AttentionArrays<T>& x, T* buffer) : arena(x, buffer), rows(longest_context(x)) {}

  static int64_t longest_context(const AttentionArrays<T>& x) {
    int64_t longest = 0;
    for (int64_t b = 0; b < x.sizes.streams; ++b)
      longest = std::max<int64_t>(longest, x.start[b + 1] - x.start[b]);
    return longest + x.sizes.block;
  }
};

template <class T>
struct BackwardScratch {
  Arena<T> arena;
  T* q = arena.take(kTile, arena.padded);  ///< scaled by 1/√D
  T* grad = arena.take(kTile, arena.padded);
  T* q_t = arena.take(arena.padded, kTile);
  T* grad_t = arena.take(arena.padded, kTile);
  T* dq_t = arena.take(arena.padded, kTile);
  T* drows =
      arena.take(kTile, arena.padded);  ///< gradients of keys or values, where they are not added in place
  T* dscores_t = arena.take(kTile, kTile);  ///< [rows, queries]: scores s, then their gradient dS
  T* weights_t = arena.take(kTile, kTile);  ///< g·dO·v, then P of the weights that are kept
  uint64_t* kept =
      reinterpret_cast<uint64_t*>(arena.take(kTile, sizeof(uint64_t) / sizeof(T)));  ///< of load_kept
  T* by_distance = arena.take(arena.positions, kTile);  ///< position scores, later their gradient
  T* by_age = arena.take(arena.ages, kTile);            ///< position scores
  T* dby_age = arena.take(arena.ages, kTile);           ///< their gradient
  T* delta = arena.take(kTile);                         ///< B1
  T* lse = arena.take(kTile);                           ///< F7

  /// The same of the tile's queries from number `query` on.
  BackwardScratch from(int64_t query) const {
    BackwardScratch s = *this;
    for (T** rows : {&s.q, &s.grad}) *rows += query * arena.padded;
    for (T** columns : {&s.q_t, &s.grad_t, &s.dq_t, &s.dscores_t, &s.weights_t, &s.delta, &s.lse})
      *columns += query;
    for (T** ages : {&s.by_age, &s.dby_age}) *ages += query - query * kTile;  // as in forward
    return s;
  }
};

/// Elements of a thread's buffers.
template <template <class> class Scratch, class T>
int64_t scratch_size(const AttentionArrays<T>& x) {
  return Scratch<T>{{x, nullptr}}.arena.used;
}

}  // namespace fade
