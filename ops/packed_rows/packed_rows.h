// The rows of a layer's context, packed: memory rows and block rows of all streams, without padding.
//
// Sizes: docs/notation.md.
#pragma once

#include "engine/tensor.h"

namespace fade {

/// Where the rows of a layer's context are. Memory rows come first, one stream after the other: stream b owns
/// rows [start[b], start[b+1]). The blocks follow: position i of stream b is row Nm + b·n + i. A stream may
/// have no memory, and its memory rows may be in any order.
///
///   row  0 .. start[1] | start[1] .. start[2] | ... | Nm + 0·n .. | Nm + 1·n .. | ...
///        memory of       memory of                    block of      block of
///        stream 0        stream 1                     stream 0      stream 1
struct PackedRows {
  Tensor start;     ///< i32 [B + 1]: running sums of the streams' counts, start[0] = 0, start[B] = Nm
  Tensor age;       ///< i32 [N]: positions from the row to the block's first query; −i in the block itself
  int64_t streams;  ///< B
  int64_t block;    ///< n
  int64_t memory_rows;  ///< Nm

  int64_t count() const { return memory_rows + streams * block; }  ///< N
};

/// Age of a padding row: larger than any span.
inline constexpr int32_t kPaddingAge = 1 << 30;

/// The same rows padded to a rectangle, for operations that need one.
struct PaddedRows {
  Tensor index;  ///< i32 [B, L]: row of the context; −1 for padding
  Tensor age;    ///< i32 [B, L]: its age; kPaddingAge for padding
};

/// Pads to the longest stream, on the host: waits for the device.
PaddedRows pad(const PackedRows& rows);

/// Ages of a context, i32 [N]: those of its memory rows, i32 [Nm], then 0, −1, ..., −(n − 1) for each block.
Tensor context_ages(const Tensor& memory_age, int64_t streams, int64_t block);

}  // namespace fade
