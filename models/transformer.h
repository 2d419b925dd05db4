// The transformer: layers of attention and feed-forward over streams of bytes, with one memory per layer.
//
// Sizes: docs/notation.md.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/attention.h"
#include "models/config.h"
#include "models/memory.h"
#include "models/step.h"
#include "nn/layers.h"

namespace fade {

/// One layer (spec section 2).
///   post-norm: y = norm1(x + attention(x)),  out = norm2(y + ff(y))
///   pre-norm:  y = x + attention(norm1(x)),  out = y + ff(norm2(y))
class TransformerLayer {
 public:
  TransformerLayer(Parameters& p, size_t layer, const ModelConfig& config, Generator& random);

  /// x [B·n, H] → [B·n, H]. Appends the block to the layer's memory; adds to `report`.
  Tensor operator()(const Tensor& x, Memory& memory, const ForwardPass& pass, StepReport& report) const;
  void constrain() const { attention_->constrain(); }

 private:
  size_t layer_;
  std::string name_, attention_name_, memory_name_;  ///< of modules (engine/module_scope.h)
  ModelConfig config_;
  std::unique_ptr<Attention> attention_;
  FeedForward ff_;
  LayerNorm norm1_, norm2_;
};

class Transformer {
 public:
  /// A freshly initialised model. Its initial values are a function of `seed`.
  Transformer(const ModelConfig& config, DType dtype, Device device, uint64_t seed);
  Transformer(const Transformer&) = delete;
  Transformer& operator=(const Transformer&) = delete;

  /// tokens i32 [B, n] → logits [B·n, V] for the byte after each. Appends the block to `memory`, whose rows
  /// that no later query sees are then still there: call memory.drop_forgotten() before the next block.
  Tensor forward(const Tensor& tokens, Memory& memory, const StepOptions& options, StepReport& report) const;

  /// Puts parameters that have a range (adaptive_span's ratios) back into it. Call after each update.
  void constrain() const;

  Memory empty_memory(int64_t streams) const;
  const ModelConfig& config() const { return config_; }
  const Parameters& parameters() const { return parameters_; }
  DType dtype() const { return dtype_; }
  Device device() const { return device_; }

 private:
  Transformer(const ModelConfig& config, DType dtype, Device device, Generator random);

  ModelConfig config_;
  DType dtype_;
  Device device_;
  Parameters parameters_;
  Embedding embed_, positions_;
  std::vector<TransformerLayer> layers_;
  std::vector<LayerNorm> norm_;  ///< pre-norm only: one, before the output projection
  Linear out_;
};

}  // namespace fade
