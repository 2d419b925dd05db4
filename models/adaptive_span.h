// Adaptive-Span attention (Sukhbaatar et al. 2019, "Adaptive Attention Span in Transformers"): each head
// learns how far it looks back. adaptive_span.md has the formulas.
//
// Sizes: docs/notation.md.
#pragma once

#include "models/attention.h"

namespace fade {

/// The attention of one layer of kind adaptive_span.
class AdaptiveSpanAttention final : public Attention {
 public:
  /// Adds the parameters NAME.query, .key, .value, .out and .span.ratio [K], which starts at span.init.
  AdaptiveSpanAttention(Parameters& p, const std::string& name, const ModelConfig& config, Generator& random);
  /// Spec section 2: rows at distance 1..S, masked for head h beyond its span z_h = ratio_h·S. Memory is
  /// trimmed to the longest head.
  Result operator()(const Input& in) const override;
  /// Puts the ratios back into [0, 1].
  void constrain() const override;

 private:
  /// Composed attention: scores [B, K, n, L] and spans [K] → masked and renormalised weights [B, K, n, L].
  Tensor apply_mask(const Tensor& scores, const Tensor& spans, const Input& in,
                    const PaddedRows& padded) const;

  Tensor ratio_;  ///< [K]
};

}  // namespace fade
