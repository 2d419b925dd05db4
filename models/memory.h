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
#include <optional>
#include <vector>

#include "engine/tensor.h"
#include "models/forget.h"
#include "ops/span_attention/span_attention.h"

namespace fade {

/// One layer's memory, on the model's device.
struct LayerMemory {
  Tensor rows;       ///< [Nm, H]: constants for the gradient
  Tensor age;        ///< i32 [Nm]: positions from the row to the next block's first query, at least 1
  Tensor start;      ///< i32 [B + 1]: stream b owns rows [start[b], start[b+1])
  int64_t read = 0;  ///< positions read of every stream since its memory was empty

  int64_t count() const { return rows.size(0); }         ///< Nm
  int64_t streams() const { return start.numel() - 1; }  ///< B
};

/// A model's memory, a layer after another. Copies are cheap, and share the rows.
///
/// What survives a block is found on the device; how many rows that is, the host must know to drop the
/// others. It asks once for all layers, when a layer is next looked at: a training step then waits for the
/// device in one place only.
class Memory {
 public:
  /// No rows in any layer or stream.
  Memory(int64_t layers, int64_t streams, int64_t hidden, DType dtype, Device device);

  size_t layers() const { return layers_.size(); }
  int64_t streams() const { return layers_.front().now.streams(); }
  /// Layer l, after dropping what was forgotten. May wait for the device.
  const LayerMemory& operator[](size_t l) const;
  void set(size_t l, const LayerMemory& memory) { layers_[l] = {memory, {}}; }
  /// The layer has read a block: its memory becomes the survivors of the context, whose rows `block` [B·n, H]
  /// were the block's own as they entered the layer.
  void advance(size_t l, const Tensor& block, const Survivors& survivors);

  /// Rows in memory a stream and layer, on average. May wait for the device.
  double mean_rows() const;

 private:
  struct Context {
    Tensor block;
    Survivors survivors;
  };
  struct Layer {
    LayerMemory now;
    std::optional<Context> next;  ///< rows read since, of which only the survivors stay
  };
  void settle() const;

  mutable std::vector<Layer> layers_;
};

/// The context of a layer that reads n more positions of each stream.
PackedRows context_rows(const LayerMemory& memory, int64_t block);

/// The same rows padded to a rectangle, for operations that want one: index i32 [B, L] into the context (−1
/// where a stream has no more rows), age i32 [B, L] (kNoRow there).
struct PaddedRows {
  Tensor index, age;
};
PaddedRows pad(const PackedRows& rows);

}  // namespace fade
