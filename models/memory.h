// The memory of a model between blocks: per layer and stream, hidden states that entered the layer earlier.
//
// Sizes: docs/notation.md.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/tensor.h"
#include "ops/packed_rows/packed_rows.h"
#include "ops/survivors/survivors.h"

namespace fade {

/// What a layer keeps of its rows from block to block, instead of computing it from them again. Right only while the
/// weights do not change.
struct KeptOfRows {
  Tensor kv;     ///< [N', 2H]: keys and values of the context that was read last; no tensor: nothing is kept
  Tensor spans;  ///< [N', 1]: its spans, in positions; no tensor for kinds without spans of rows
  Tensor index;  ///< i32 [Nm]: which of its N' rows are those in memory; no tensor: the first Nm
};

/// The memory of one layer, on the model's device. Rows are packed: every stream has its own number of rows.
struct LayerMemory {
  Tensor rows;            ///< [Nm, H]: constants for the gradient
  Tensor age;             ///< i32 [Nm]: positions from the row to the next block's first query, at least 1
  Tensor start;           ///< i32 [B + 1]: stream b owns rows [start[b], start[b+1]), as in PackedRows
  int64_t read = 0;       ///< positions read of every stream since its memory was empty
  int64_t forgot_at = 0;  ///< rows that were left when the layer last forgot; 0: it never did
  KeptOfRows kept = {};   ///< of the rows; with StepOptions::frozen only

  int64_t count() const { return rows.size(0); }         ///< Nm
  int64_t streams() const { return start.numel() - 1; }  ///< B
};

/// The memory of a model, layer by layer. Copies are cheap: they share the rows, and belong to
/// one thread, as the handles of a tensor do. The states of a layer:
///
///   settled   its memory can be read; `append` makes it pending
///   pending   it has read a block: the survivors of memory and block are known to the device, but the other
///             rows are still there; `drop_forgotten` makes it settled
///
/// A forward pass appends to every layer. Its caller then calls drop_forgotten, which forgets in all layers
/// at once: survivors are found without a wait, but to drop the others the host needs their number.
class Memory {
 public:
  Memory() = default;  ///< of no layers
  /// No rows in any layer or stream.
  Memory(int64_t layers, int64_t streams, int64_t hidden, DType dtype, Device device);

  size_t layers() const { return layers_.size(); }                      ///< how many
  int64_t streams() const { return layers_.front().memory.streams(); }  ///< B

  /// Layer l. Throws Error when it is pending.
  const LayerMemory& operator[](size_t l) const;
  /// Replaces the memory of layer l, which is settled afterwards.
  void set(size_t l, const LayerMemory& memory) { layers_[l] = {memory, {}}; }

  /// Layer l has read a block: its rows [B·n, H] as they entered the layer, the survivors of memory and block, and
  /// what is to be kept of all of them. Layer l is pending afterwards. Throws Error when it was pending before.
  void append(size_t l, const Tensor& block, const Survivors& survivors, const KeptOfRows& kept = {});
  /// Forgets: every pending layer keeps only its survivors and is settled. Copies the counts of all layers that may
  /// have dropped rows to the host at once; with fused attention, this is the first call of a training step that waits
  /// for the device. Does nothing when no layer is pending.
  void drop_forgotten();

  /// Rows in memory per stream and layer, on average. Throws Error when a layer is pending.
  double mean_rows() const;

 private:
  struct Appended {
    Tensor block;
    Survivors survivors;
    KeptOfRows kept;
  };
  struct Layer {
    LayerMemory memory;
    std::optional<Appended> pending;
  };
  // Of a pending layer: `count` survivors.
  static LayerMemory survived(const Layer& layer, int64_t count);

  std::vector<Layer> layers_;
};

/// The context of a layer that reads n more positions of each stream: its memory, then the block.
PackedRows context_rows(const LayerMemory& memory, int64_t block);

}  // namespace fade
