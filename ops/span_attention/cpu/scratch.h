// The buffers of a thread of the CPU kernels.
#pragma once

#include "ops/span_attention/cpu/arrays.h"

namespace fade {

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

/// Rows of an array with one row per age: the ages at which some query of a tile is 1..last_position away.
inline int64_t ages_with_position(int64_t last_position) {
  return last_position ? last_position + kTile - 1 : 0;
}

/// Cuts one buffer into 64-byte aligned arrays; without a buffer it only counts.
template <class T>
struct Arena {
  T* base;
  int64_t head_size, positions, padded, ages;  ///< sizes of arrays
  int64_t used = 0;                            ///< elements taken

  Arena(const AttentionArrays<T>& x, T* buffer)
      : base(buffer),
        head_size(x.head_size),
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
  T* keys = arena.take(kTile, arena.head_size);
  T* values = arena.take(kTile, arena.head_size);
  T* weights_t = arena.take(kTile, kTile);  ///< [rows, queries]: scores s, then g·m·u
  T* mask_t = arena.take(kTile, kTile);     ///< m, in tiles that need it
  uint64_t* kept =
      reinterpret_cast<uint64_t*>(arena.take(kTile, sizeof(uint64_t) / sizeof(T)));  ///< of load_kept
  T* out_t = arena.take(arena.padded, kTile);
  T* by_distance = arena.take(arena.positions, kTile);  ///< position scores
  T* by_age = arena.take(arena.ages, kTile);            ///< the same
  T* row_max = arena.take(kTile);                       ///< h of F3, so far
  T* sum_exp = arena.take(kTile);                       ///< Z of F4, so far
  T* masked_sum_exp = arena.take(kTile);                ///< N of F4, so far
};

template <class T>
struct BackwardScratch {
  Arena<T> arena;
  T* q = arena.take(kTile, arena.padded);  ///< scaled by 1/√D
  T* grad = arena.take(kTile, arena.padded);
  T* q_t = arena.take(arena.padded, kTile);
  T* grad_t = arena.take(arena.padded, kTile);
  T* dq_t = arena.take(arena.padded, kTile);
  T* keys = arena.take(kTile, arena.head_size);
  T* values = arena.take(kTile, arena.head_size);
  T* dkeys = arena.take(kTile, arena.padded);
  T* dvalues = arena.take(kTile, arena.padded);
  T* dscores_t = arena.take(kTile, kTile);  ///< [rows, queries]: scores s, then their gradient dS
  T* weights_t = arena.take(kTile, kTile);  ///< dO·v, then the weights after dropout, g·P
  uint64_t* kept =
      reinterpret_cast<uint64_t*>(arena.take(kTile, sizeof(uint64_t) / sizeof(T)));  ///< of load_kept
  T* by_distance = arena.take(arena.positions, kTile);  ///< position scores, later their gradient
  T* by_age = arena.take(arena.ages, kTile);            ///< position scores
  T* dby_age = arena.take(arena.ages, kTile);           ///< their gradient
  T* delta = arena.take(kTile);                         ///< B1
  T* lse = arena.take(kTile);                           ///< F7
};

/// Elements of a thread's buffers.
template <template <class> class Scratch, class T>
int64_t scratch_size(const AttentionArrays<T>& x) {
  return Scratch<T>{{x, nullptr}}.arena.used;
}

}  // namespace fade
