// The Compressive Transformer (Rae et al. 2019, "Compressive Transformers for Long-Range Sequence
// Modelling"): what leaves the window is not dropped but pooled, a few rows into one slot. compressive.md has
// the formulas.
//
// Sizes: B streams, n block queries, M block length, S max_span, c compress.rate, C compress.slots,
//        G groups of c rows that become slots in this block, H hidden.
#pragma once

#include "models/attention.h"

namespace fade {

class CompressiveAttention final : public Attention {
 public:
  CompressiveAttention(Parameters& p, const std::string& name, const ModelConfig& config, Generator& random);

  /// Memory with the slots of the groups that begin to leave the window during this block. Per stream: slots,
  /// oldest first, then exact rows, oldest first.
  Context context(const LayerMemory& memory, const Tensor& block) const override;
  /// Spec section 4: one softmax over the rows at distance 1..S and C + 1 slots.
  Result operator()(const Input& in) const override;

 private:
  /// For the composed path: the position row of distances 1, 2, .., up to the last slot's; −1 in the gap
  /// between rows and slots (SlotWindow).
  std::vector<int32_t> position_by_distance(int64_t block) const;
  /// rows [G, c·H] → slots [G, H]: their mean, or the convolution's.
  Tensor compress(const Tensor& rows) const;
  /// ‖attn(h, old) − attn(h, compressed)‖²/(B·n·H): what the convolution learns from, and nothing else does.
  Tensor reconstruction_loss(const Input& in) const;

  /// Exact rows that memory holds: S in whole blocks, for rows are evicted a block at a time.
  int64_t exact_rows() const { return config().max_span / config().block * config().block; }

  Tensor weight_, bias_;  ///< [H, H, c] and [H] of the convolution; no tensors for compress.kind mean
};

}  // namespace fade
