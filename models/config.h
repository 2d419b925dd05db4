// The sizes and settings of a model. train/config/file.h reads them from YAML and checks them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/dtype.h"

namespace fade {

/// The kind of attention. models/kinds.cpp has a row per kind, in this order.
enum class Kind {
  transformer_xl,  ///< a fixed window (Dai et al. 2019)
  adaptive_span,   ///< a learned window per head (Sukhbaatar et al. 2019)
  compressive,     ///< a window, and older rows pooled into slots (Rae et al. 2019)
  expire_span      ///< a predicted span per row (Sukhbaatar et al. 2021)
};
inline constexpr size_t kKindCount = 4;  ///< the number of kinds

/// How attention is computed. Both have the same results.
enum class AttentionPath {
  fused,    ///< by one operation over tiles (ops/span_attention)
  composed  ///< by readable operations, over padded rows
};

/// Learned spans (expire_span and adaptive_span).
struct SpanConfig {
  int ramp = 64;        ///< R: length of the ramp after a span's end, in positions; at least 2
  double loss = 1e-6;   ///< coefficient of the auxiliary span loss
  double pre_div = 64;  ///< divisor of w·h before the sigmoid
  double init = 0.1;    ///< initial span as a fraction of max_span (adaptive_span: 0)
  bool noisy = false;   ///< training: spans are cut at u·S, one u ~ U(0,1) per step
};

/// How compressive memory pools rows into a slot.
enum class CompressKind {
  mean,  ///< their mean
  conv   ///< a convolution that is trained to keep what attention reads from them
};

/// Compressed memory (compressive).
struct CompressConfig {
  CompressKind kind = CompressKind::mean;  ///< how rows are pooled
  int rate = 4;                            ///< c: rows pooled into one slot
  int slots = 128;                         ///< C: slots kept
};

/// The types of a model's numbers: one for all, or mixed precision (docs/cuda.md).
struct NumberTypes {
  DType parameters;   ///< f32 or f64; and of gradients, spans, logits and losses
  DType activations;  ///< of hidden states and rows of memory: the same, or bf16 with parameters of f32

  NumberTypes(DType all) : NumberTypes(all, all) {}  ///< no mixture
  /// Each as it is given.
  NumberTypes(DType of_parameters, DType of_activations)
      : parameters(of_parameters), activations(of_activations) {}
  bool mixed() const { return activations != parameters; }  ///< true in mixed precision
};

/// A model. docs/configuration.md has the range of each number.
struct ModelConfig {
  Kind kind = Kind::expire_span;  ///< of attention
  int layers = 8;                 ///< each with attention and a feed-forward part
  int hidden = 256;               ///< H
  int ff = 1024;                  ///< F
  int heads = 4;                  ///< K
  int block = 256;                ///< M: positions per stream and block
  int max_span = 4096;            ///< S: the longest span, in positions
  bool pre_norm = false;          ///< normalise before attention and feed-forward instead of after them
  bool qk_norm = false;           ///< normalise queries and keys, head by head, before the scores
  AttentionPath attention = AttentionPath::fused;  ///< how attention is computed
  bool recompute = false;   ///< training: backward computes each layer again instead of keeping its tensors
  double dropout = 0.0;     ///< training: probability that a unit or an attention weight is dropped
  SpanConfig span;          ///< learned spans
  CompressConfig compress;  ///< compressed memory
  int vocab = 256;          ///< V: set from data.vocab

  int head_size() const { return hidden / heads; }  ///< D
};

}  // namespace fade
