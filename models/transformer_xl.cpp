#include "models/transformer_xl.h"

#include "ops/softmax/softmax.h"

namespace fade {

Attention::Result TransformerXlAttention::operator()(const Input& in) const {
  const int64_t S = in.pass.options.within(config().max_span);
  Result result;
  if (config().attention == AttentionPath::fused) {
    result.out = attend(in, SpanMask::fixed(S));
  } else {
    const PaddedRows padded = pad(in.rows);
    const auto [scores, values] = attention_scores(in, padded);              // [B, K, n, L], [B, K, L, D]
    const Tensor mask = mask_by_distance(in, padded, Tensor::full({S}, 1));  // [B, n, L]
    result.out = weighted_values(softmax_where(scores, mask), values, padded, in.pass.options);
  }
  result.lifetime = {.span = {}, .reach = static_cast<double>(S) + 1};  // seen up to a distance of S
  return result;
}

}  // namespace fade
