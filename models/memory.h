// What a model remembers between blocks: per layer and per stream, the hidden states that entered the layer
// earlier.
//
// Sizes: B streams, n block queries (n ≤ M), Nm memory rows of all streams together, N = Nm + B·n context
// rows,
//        L the longest stream's context rows, H hidden.
//
// Rows are packed: nothing is padded, and every stream has as many rows as it wants to keep. A layer's
// context is the memory rows, stream after stream, and then the block's own rows:
//
//   row  0 .. start[1] | start[1] .. start[2] | ... | Nm + 0·n .. | Nm + 1·n .. | ...
//        stream 0        stream 1                     stream 0's    stream 1's block
#pragma once

#include <cstdint>
#include <vector>

#include "engine/tensor.h"
#include "ops/span_attention/span_attention.h"

namespace fade {

/// One layer's memory.
struct LayerMemory {
  Tensor rows;                 ///< [Nm, H]: constants for the gradient
  std::vector<int32_t> age;    ///< [Nm]: positions from the row to the next block's first query, at least 1
  std::vector<int64_t> start;  ///< [B + 1]: stream b owns rows [start[b], start[b+1])

  static LayerMemory empty(int64_t streams, int64_t hidden, DType dtype, Device device);
  int64_t count() const { return static_cast<int64_t>(age.size()); }
  int64_t streams() const { return static_cast<int64_t>(start.size()) - 1; }
};

using Memory = std::vector<LayerMemory>;  ///< one a layer

Memory empty_memory(int64_t layers, int64_t streams, int64_t hidden, DType dtype, Device device);

/// Rows in memory a stream and layer, on average.
double mean_rows(const Memory& memory);

/// Where the rows of one layer's context are, and how old.
struct ContextRows {
  int64_t streams, block;      ///< B, n
  std::vector<int64_t> start;  ///< [B + 1], memory rows
  std::vector<int32_t> age;    ///< [N]: to the block's first query; 0, −1, ... for the block's own rows

  ContextRows(const LayerMemory& memory, int64_t block);
  int64_t memory_rows() const { return start.back(); }
  int64_t count() const { return static_cast<int64_t>(age.size()); }

  /// The same rows padded to a rectangle, for operations that want one: index i32 [B, L] into the context (−1
  /// where a stream has no more rows), age i32 [B, L] (kNoRow there).
  struct Padded {
    Tensor index, age;
  };
  Padded pad(Device device) const;

  /// The same rows as the fused attention takes them.
  PackedRows pack(Device device) const;
};

/// The next block's memory: those rows of the context for which keep[row], each as much older as the block is
/// long. memory [Nm, H] and block [B·n, H] are the context's rows as they entered the layer.
LayerMemory remember(const Tensor& memory, const Tensor& block, const ContextRows& rows,
                     const std::vector<bool>& keep);

}  // namespace fade
