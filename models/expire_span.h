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
  Tensor weight, bias;  ///< [1, H], [1]
  double max_span, pre_div;
  std::string name;

  SpanPredictor(Parameters& p, const std::string& path, const ModelConfig& config);
  /// memory [Nm, H], block [B·n, H] → e [N]
  Tensor operator()(const Tensor& memory, const Tensor& block) const;
};

class ExpireSpanAttention final : public Attention {
 public:
  ExpireSpanAttention(Parameters& p, const std::string& name, const ModelConfig& config, Generator& random);
  /// Spec section 3.
  Result operator()(const Input& in) const override;

  // For models/kinds.cpp.
  static int64_t position_rows(const ModelConfig& config);
  static void check(const ModelConfig& config, const Need& need);

 private:
  // Both return `out` and `aux`. spans [N] may have been cut by noise.
  Result fused(const Input& in, const Tensor& spans) const;
  Result composed(const Input& in, const Tensor& spans) const;

  SpanPredictor span_;
};

}  // namespace fade
