// Attention over a fixed window, as in Transformer-XL (Dai et al. 2019): the baseline that cannot forget.
//
// Sizes: docs/notation.md.
#pragma once

#include "models/attention.h"

namespace fade {

/// The attention of one layer of kind transformer_xl.
class TransformerXlAttention final : public Attention {
 public:
  /// Adds the parameters NAME.query, .key, .value and .out.
  TransformerXlAttention(Parameters& p, const std::string& name, const ModelConfig& config, Generator& random)
      : Attention(p, name, config, random) {}
  /// Spec section 2: every query sees the rows at distance 1..S.
  Result operator()(const Input& in) const override;
};

}  // namespace fade
