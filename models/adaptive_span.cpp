#include "models/adaptive_span.h"

#include "engine/tape.h"
#include "nn/init.h"
#include "ops/elementwise/elementwise.h"
#include "ops/expire_mask/expire_mask.h"
#include "ops/masked_renorm/masked_renorm.h"
#include "ops/reduce/reduce.h"
#include "ops/softmax/softmax.h"

namespace fade {

AdaptiveSpanAttention::AdaptiveSpanAttention(Parameters& p, const std::string& name,
                                             const ModelConfig& config, Generator& random)
    : Attention(p, name, config, random), ratio_(p.add(name + ".span.ratio", {config.heads})) {
  init_constant(ratio_, config.span.init);
}

Attention::Result AdaptiveSpanAttention::operator()(const Input& in) const {
  const int64_t S = config().max_span;
  const SpanConfig& span = config().span;
  const Tensor z = ratio_ * static_cast<double>(S);  // [K]
  Result result;
  if (config().attention == AttentionPath::fused) {
    result.out = attend(in, SpanMask::adaptive(z, span.ramp, in.pass.options.within(S)));
  } else {
    const PaddedRows padded = pad(in.rows);
    const auto [scores, values] = attention_scores(in, padded);  // [B, K, n, L], [B, K, L, D]
    result.out = weighted_values(apply_mask(scores, z, in, padded), values, padded, in.pass.options);
  }
  if (in.pass.options.training) result.aux = mean(z) * span.loss;

  // Memory keeps one more ramp of rows beyond that of the longest head, for heads that grow.
  const NoGrad off;
  const Tensor longest = max(z, 0, true) + Tensor::scalar(2.0 * span.ramp, z.dtype(), z.device());  // [1]
  result.lifetime = {clamp(longest, 0, static_cast<double>(S)), 1};
  result.spans = z.detach();
  return result;
}

void AdaptiveSpanAttention::constrain() const { ratio_.copy_from(clamp(ratio_.detach(), 0, 1)); }

Tensor AdaptiveSpanAttention::apply_mask(const Tensor& scores, const Tensor& spans, const Input& in,
                                         const PaddedRows& padded) const {
  const int64_t S = in.pass.options.within(config().max_span);
  const Tensor a = softmax_where(scores, mask_by_distance(in, padded, Tensor::full({S}, 1)));  // [B, K, n, L]
  const Tensor m = adaptive_mask(spans, padded.age, in.rows.block, config().span.ramp, S);     // [B, K, n, L]
  const Tensor eps = Tensor::scalar(kRenormEps, a.dtype(), a.device());
  return a * m / (sum(a * m, 3, true) + eps);
}

}  // namespace fade
