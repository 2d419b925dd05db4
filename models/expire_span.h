// Expire-Span attention (Sukhbaatar et al. 2021, "Not All Memories are Created Equal: Learning to Forget by
// Expiring"). expire_span.md puts the paper's symbols beside the code's.
//
// Sizes: B streams, n block queries, N context rows (memory, then block), L padded context rows of the
// longest stream,
//        H hidden, S max_span, R ramp.
#pragma once

#include "models/attention.h"

namespace fade {

/// The span of each row: e = S·sigmoid(h·w/pre_div + b), in positions. One a row, shared by the heads of the
/// layer.
struct SpanPredictor {
  Tensor weight, bias;  ///< [1, H], [1]
  double max_span, pre_div;

  SpanPredictor(Parameters& p, const std::string& name, const ModelConfig& config);
  /// memory [Nm, H], block [B·n, H] → e [N]
  Tensor operator()(const Tensor& memory, const Tensor& block) const;
};

class ExpireSpanAttention final : public Attention {
 public:
  ExpireSpanAttention(Parameters& p, const std::string& name, const ModelConfig& config, Generator& random);
  /// Spec section 3.
  Result operator()(const Input& in) const override;

 private:
  // Both give out and aux, from spans [N] that noise may have cut.
  Result fused(const Input& in, const Tensor& spans) const;
  Result composed(const Input& in, const Tensor& spans) const;

  SpanPredictor span_;
};

}  // namespace fade
