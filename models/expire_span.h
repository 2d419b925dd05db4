// Expire-Span attention (Sukhbaatar et al. 2021, "Not All Memories are Created Equal: Learning to Forget by
// Expiring"). expire_span.md sets the symbols of the paper next to those of the code.
//
// Sizes: docs/notation.md.
#pragma once

#include "models/attention.h"
#include "models/kinds.h"

namespace fade {

/// The span of each row, in positions: e = S·sigmoid(w·h/pre_div + b). All heads of a layer share it.
struct SpanPredictor {
  Tensor weight;     ///< w: [1, H]; 0 at first, so that all rows begin with the same span
  Tensor bias;       ///< b: [1]; ln(init/(1 − init)) at first, for a span of init·S
  double max_span;   ///< S, in positions
  double pre_div;    ///< divides w·h before the sigmoid
  std::string name;  ///< of the module

  /// Adds the parameters PATH.weight and PATH.bias.
  SpanPredictor(Parameters& p, const std::string& path, const ModelConfig& config);
  /// memory [Nm, H], block [B·n, H] → e [N, 1]
  Tensor operator()(const Tensor& memory, const Tensor& block) const;
};

/// The attention of one layer of kind expire_span.
class ExpireSpanAttention final : public Attention {
 public:
  /// Adds the parameters NAME.query, .key, .value and .out, and those of the SpanPredictor NAME.span.
  ExpireSpanAttention(Parameters& p, const std::string& name, const ModelConfig& config, Generator& random);
  /// Spec section 3.
  Result operator()(const Input& in) const override;

  // For models/kinds.cpp.
  static int64_t position_rows(const ModelConfig& config);         ///< min(M, S)
  static void check(const ModelConfig& config, const Need& need);  ///< KindInfo::check

 private:
  // Both return `out` and `aux`. spans [N] may have been cut by noise.
  Result fused(const Input& in, const Tensor& spans) const;
  Result composed(const Input& in, const Tensor& spans) const;

  SpanPredictor span_;
};

}  // namespace fade
