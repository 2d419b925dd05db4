// The Compressive Transformer (Rae et al. 2019, "Compressive Transformers for Long-Range Sequence
// Modelling"): rows that leave the window are not dropped but pooled, several rows into one slot.
// compressive.md has the formulas.
//
// Sizes: docs/notation.md.
#pragma once

#include "models/attention.h"
#include "models/kinds.h"

namespace fade {

/// The attention of one layer of kind compressive.
class CompressiveAttention final : public Attention {
 public:
  /// Adds the parameters NAME.query, .key, .value and .out; with compress.kind conv also .compress.weight
  /// [H, H, c] and .compress.bias [H].
  CompressiveAttention(Parameters& p, const std::string& name, const ModelConfig& config, Generator& random);

  /// Adds the slots of the groups that begin to leave the window during this block. Memory then holds, per
  /// stream, slots and then exact rows, each oldest first. `aux` is the convolution's reconstruction loss.
  Prepared before_block(const LayerMemory& memory, const Tensor& block, const LayerNorm* norm1,
                        const StepOptions& options) const override;
  /// Spec section 4: one softmax over the rows at distance 1..S and C + 1 slots.
  Result operator()(const Input& in) const override;

  // For models/kinds.cpp.
  static int64_t position_rows(const ModelConfig& config);         ///< S + C + 1
  static void check(const ModelConfig& config, const Need& need);  ///< KindInfo::check
  static int64_t oldest_age(const ModelConfig& config);            ///< KindInfo::oldest_age

 private:
  /// The groups of c rows that begin to leave the window during a block, the same for every stream.
  struct LeavingGroups {
    int64_t count;
    int64_t oldest;     ///< age of the first row of the first group
    int64_t first_out;  ///< query at which that row leaves the window
  };
  LeavingGroups leaving_groups(int64_t read, int64_t block) const;

  /// What a query sees at most: exact rows at distances 1 to `rows`, and the newest `slots` slots.
  struct Seen {
    int64_t rows, slots;
  };
  /// S and C + 1, unless memory is cut. Slot k, from 0 for the newest, has positions at distances up to
  /// S + (k + 1)·c − 1.
  Seen seen(const StepOptions& options) const;

  /// For composed attention: the position row of distances 1, 2, .., up to that of the last slot; −1 in the
  /// gap between rows and slots (SlotWindow).
  std::vector<int32_t> position_by_distance(int64_t block, Seen seen) const;
  /// rows [G, c·H] → slots [G, H]: their mean, or the convolution's result.
  Tensor compress(const Tensor& rows) const;
  /// ‖attn(h, old) − attn(h, compressed)‖²/(B·n·H) for groups `old` [G, c·H]: trains only the convolution.
  Tensor reconstruction_loss(const Tensor& old, const Tensor& block, int64_t streams,
                             const LayerNorm* norm1) const;
  /// softmax(q·kᵀ/√D)·v of every block query over its stream's share of `rows` [B·r, H], by content alone:
  /// [B, K, n, D]. No gradient to the projections, norm1 or the block.
  Tensor content_attention(const Tensor& rows, const Tensor& block, int64_t streams,
                           const LayerNorm* norm1) const;

  /// Exact rows that memory holds: S in whole blocks, because rows are evicted one block at a time.
  int64_t exact_rows() const { return config().max_span / config().block * config().block; }

  Tensor weight_, bias_;  ///< [H, H, c] and [H] of the convolution; no tensors for compress.kind mean
};

}  // namespace fade
