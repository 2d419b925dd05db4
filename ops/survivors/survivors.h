// Forgetting: which rows of a layer's context a later query can still see. All other rows are dropped.
//
// Sizes: docs/notation.md.
#pragma once

#include "engine/host_device.h"
#include "engine/tensor.h"
#include "ops/packed_rows/packed_rows.h"

namespace fade {

/// How far back a row can be seen: at distances below span + reach.
struct Lifetime {
  Tensor span;       ///< [N]: one span per row; [1]: the same for all rows; no tensor: 0
  double reach = 0;  ///< in positions; infinity keeps every row, whatever its span
};

/// The rule of forgetting, for every device. `distance` is the one from the row to the next block's first
/// query. Of all later queries that is the nearest: if that one cannot see
/// the row, no other query will. Spec section 3.
FADE_HD inline bool survives(double span, double reach, int64_t distance) {
  return span > static_cast<double>(distance) - reach;
}

/// The surviving rows of a context, one stream after the other, and within each stream in the context's
/// order: memory rows, then block rows. The count start[B] is known on the device only, so `index` and `age`
/// have room for all N rows.
struct Survivors {
  Tensor index;  ///< i32 [N]: row of the context; defined up to start[B]
  Tensor age;    ///< i32 [N]: age of that row in the next block; defined up to start[B]
  /// i32 [B + 1]: stream b owns survivors [start[b], start[b+1]). B + 1 running sums instead of B counts: one
  /// array gives the first row, the count and the end of every stream, and its last element is the total.
  Tensor start;
  bool all = false;  ///< the reach is infinite: the host knows, without waiting, that every row survives
};

/// Row j survives iff span_j > age_j + n − reach, with n the block's length. Runs on the rows' device; the
/// host does not wait. Throws when `span` has neither 1 nor N elements.
Survivors survivors(const PackedRows& rows, const Lifetime& lifetime);

}  // namespace fade
