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
  /// Layer number `layer`, from 0: adds its parameters, layers.LAYER.attn.query.weight, .. (pre-norm: the
  /// projections that end in the residual are divided by sqrt(2·layers)).
  TransformerLayer(Parameters& p, size_t layer, const ModelConfig& config, Generator& random);

  /// x [B·n, H] → [B·n, H]. Appends the block to the layer's memory; adds to `report`. With model.recompute, the
  /// layer and what `pass` refers to must live until backward.
  Tensor operator()(const Tensor& x, Memory& memory, const ForwardPass& pass, StepReport& report) const;
  void constrain() const { attention_->constrain(); }  ///< Attention::constrain

 private:
  /// What a layer makes of a block.
  struct Output {
    Tensor x;  ///< [B·n, H]
    Attention::Result attended;
  };
  /// The layer's output for x [B·n, H], with `memory` [Nm, H] as its memory rows, and `kept` as
  /// Attention::Input. Changes nothing but `kept` and the state of `pass.options.random`.
  Output compute(const Tensor& x, const Tensor& memory, const PackedRows& rows, const ForwardPass& pass,
                 KeptOfRows* kept = nullptr) const;
  /// compute, recorded so that backward computes it again (engine/recompute.h).
  Output compute_twice(const Tensor& x, const Tensor& memory, const PackedRows& rows,
                       const ForwardPass& pass) const;

  size_t layer_;
  std::string name_, attention_name_, memory_name_;  ///< of modules (engine/module_scope.h)
  ModelConfig config_;
  std::unique_ptr<Attention> attention_;
  FeedForward ff_;
  LayerNorm norm1_, norm2_;
};

/// A model: an embedding of bytes, layers, and a projection to the logits of the next byte.
class Transformer {
 public:
  /// A freshly initialised model. Its initial values are a function of `seed`; `config` has been checked
  /// (train/config/file.h). Activations of bf16 need Device::cuda and fused attention. Throws InputError when
  /// this build or machine has no such device.
  Transformer(const ModelConfig& config, NumberTypes types, Device device, uint64_t seed);
  Transformer(const Transformer&) = delete;
  Transformer& operator=(const Transformer&) = delete;

  /// tokens i32 [B, n] → logits [B·n, V] for the byte after each. Appends the block to `memory`, whose rows
  /// that no later query sees are then still there: call memory.drop_forgotten() before the next block.
  /// With options.frozen, a memory must not outlive an update of the weights: what it keeps is of the old ones.
  /// Refuses a token outside [0, V). Throws Error when `memory` is pending, and for options.frozen while
  /// gradients are recorded.
  Tensor forward(const Tensor& tokens, Memory& memory, const StepOptions& options, StepReport& report) const;

  /// Puts parameters that have a range (adaptive_span's ratios) back into it. Call after each update.
  void constrain() const;

  /// A memory for `streams` streams (B), without rows.
  Memory empty_memory(int64_t streams) const;
  const ModelConfig& config() const { return config_; }         ///< as it was given
  const Parameters& parameters() const { return parameters_; }  ///< in the order of checkpoints
  const Linear& output() const { return out_; }                 ///< hidden states to logits
  NumberTypes types() const { return types_; }                  ///< as they were given
  DType dtype() const { return types_.parameters; }             ///< of parameters and logits
  Device device() const { return device_; }                     ///< of parameters and logits

 private:
  Transformer(const ModelConfig& config, NumberTypes types, Device device, Generator random);

  ModelConfig config_;
  NumberTypes types_;
  Device device_;
  Parameters parameters_;
  Embedding embed_, positions_;
  std::vector<TransformerLayer> layers_;
  std::vector<LayerNorm> norm_;  ///< pre-norm only: one, before the output projection
  Linear out_;
};

}  // namespace fade
