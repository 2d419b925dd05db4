// Forgetting: which rows of a layer's context a later query can still see. Decided where the rows are, so
// that the host needs to know no more than how many are left.
//
// Sizes: B streams, n block queries, Nm memory rows, N = Nm + B·n context rows.
#pragma once

#include "engine/kernel.h"
#include "engine/tensor.h"
#include "ops/span_attention/span_attention.h"

namespace fade {

/// How far back a row can be seen: at distances below span + reach.
struct Lifetime {
  Tensor span;       ///< [N]: each row's own; [1]: one for all; no tensor: 0
  double reach = 0;  ///< positions; infinity keeps every row
};

/// The one rule, for every device: `distance` is that of the nearest query still to come.
FADE_HD inline bool survives(double span, double reach, int64_t distance) {
  return span + reach > static_cast<double>(distance);
}

/// The rows that are left of a context after its block, stream after stream, memory before block. Only the
/// device knows how many there are: the arrays have room for all.
struct Survivors {
  Tensor index;  ///< i32 [N]: place of each in the context; meaningful up to start[B]
  Tensor age;    ///< i32 [N]: to the next block's first query, likewise
  Tensor start;  ///< i32 [B + 1]: stream b has numbers [start[b], start[b+1])
};

/// Row j survives iff span_j + reach > age_j + n, its distance from the nearest query that is still to come:
/// all others would find its mask at zero. Spec section 3.
Survivors survivors(const PackedRows& rows, const Lifetime& lifetime);

/// Ages of a context from those of its memory rows [Nm]: they come first, then 0, −1, ..., −(n − 1) for each
/// stream's own block: i32 [N].
Tensor context_ages(const Tensor& memory_age, int64_t streams, int64_t block);

inline constinit Kernel<void(const PackedRows&, const Lifetime&, const Survivors& out)> survivors_kernel{
    "survivors"};
inline constinit Kernel<void(const Tensor& memory_age, int64_t block, const Tensor& out)> context_ages_kernel{
    "context_ages"};

}  // namespace fade
