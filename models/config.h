// The sizes and settings of a model. train/config/file.h reads them from YAML and checks them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fade {

/// The kind of attention. models/kinds.cpp has a row per kind, in this order.
enum class Kind { transformer_xl, adaptive_span, compressive, expire_span };
inline constexpr size_t kKindCount = 4;

/// How attention is computed: by one operation over tiles, or by readable operations with the same results.
enum class AttentionPath { fused, composed };

/// Learned spans (expire_span and adaptive_span).
struct SpanConfig {
  int ramp = 64;        ///< R: length of the ramp after a span's end, in positions; at least 2
  double loss = 1e-6;   ///< coefficient of the auxiliary span loss
  double pre_div = 64;  ///< divisor of w·h before the sigmoid
  double init = 0.1;    ///< initial span as a fraction of max_span (adaptive_span: 0)
  bool noisy = false;   ///< training: spans are cut at u·S, one u ~ U(0,1) per step
};

/// How compressive memory pools rows into a slot: their mean, or a convolution that is trained to keep what
/// attention reads from them.
enum class CompressKind { mean, conv };

/// Compressed memory (compressive).
struct CompressConfig {
  CompressKind kind = CompressKind::mean;
  int rate = 4;     ///< c: rows pooled into one slot
  int slots = 128;  ///< C: slots kept
};

struct ModelConfig {
  Kind kind = Kind::expire_span;
  int layers = 8;
  int hidden = 256;     ///< H
  int ff = 1024;        ///< F
  int heads = 4;        ///< K
  int block = 256;      ///< M: positions per stream and block
  int max_span = 4096;  ///< S: the longest span, in positions
  bool pre_norm = false;
  AttentionPath attention = AttentionPath::fused;
  double dropout = 0.0;
  SpanConfig span;
  CompressConfig compress;
  int vocab = 256;  ///< V: set from data.vocab

  int head_size() const { return hidden / heads; }  ///< D
};

}  // namespace fade
