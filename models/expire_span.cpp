#include "models/expire_span.h"

#include <algorithm>
#include <cmath>

#include "engine/module_scope.h"
#include "nn/init.h"
#include "ops/elementwise/elementwise.h"
#include "ops/expire_mask/expire_mask.h"
#include "ops/gather_rows/gather_rows.h"
#include "ops/layout/layout.h"
#include "ops/masked_renorm/masked_renorm.h"
#include "ops/row_dots/row_dots.h"
#include "ops/softmax/softmax.h"
#include "ops/span_loss/span_loss.h"

namespace fade {

SpanPredictor::SpanPredictor(Parameters& p, const std::string& path, const ModelConfig& config)
    : weight(p.add(path + ".weight", {1, config.hidden})),
      bias(p.add(path + ".bias", {1})),
      max_span(config.max_span),
      pre_div(config.span.pre_div),
      name(path) {
  init_constant(bias, -std::log(1 / config.span.init - 1));  // weight is 0: every row starts at span.init·S
}

Tensor SpanPredictor::operator()(const Tensor& memory, const Tensor& block) const {
  const ModuleScope scope(name);
  const Tensor z = row_dots(memory, block, weight) * (1 / pre_div) + bias;  // [N, 1]
  return sigmoid(z) * max_span;
}

ExpireSpanAttention::ExpireSpanAttention(Parameters& p, const std::string& name, const ModelConfig& config,
                                         Generator& random)
    : Attention(p, name, config, random), span_(p, name + ".span", config) {}

Attention::Result ExpireSpanAttention::operator()(const Input& in) const {
  const double u = in.pass.noise;
  const Tensor e = reshape(with_kept(in, &KeptOfRows::spans, span_(in.memory, in.block)), {-1});  // [N]
  const Tensor cut = u < 1 ? clamp(e, 0, u * config().max_span) : e;  // [N]: min(e, u·S)
  Result result = config().attention == AttentionPath::fused ? fused(in, cut) : composed(in, cut);

  result.lifetime = {e.detach(), static_cast<double>(config().span.ramp)};  // by the span without noise
  result.spans = e.rows(in.rows.memory_rows, in.rows.count());
  return result;
}

int64_t ExpireSpanAttention::position_rows(const ModelConfig& config) {
  return std::min(config.block, config.max_span);
}

void ExpireSpanAttention::check(const ModelConfig& config, const Need& need) {
  need(config.span.init > 0 && config.span.init < 1, "model.span.init", "model.kind",
       "a number above 0 and below 1 for model.kind expire_span");
}

Attention::Result ExpireSpanAttention::fused(const Input& in, const Tensor& spans) const {
  const SpanConfig& span = config().span;
  Result result;
  result.out = attend(in, SpanMask::expiring(spans, span.ramp, in.pass.options.window));
  if (in.pass.options.training)  // all rows as one stream: the mean over streams is in the coefficient
    result.aux = span_loss(reshape(spans, {1, -1}), in.rows.age.view({1, in.rows.count()}), in.rows.block,
                           span.ramp, span.loss / static_cast<double>(in.rows.streams));
  return result;
}

Attention::Result ExpireSpanAttention::composed(const Input& in, const Tensor& spans) const {
  const SpanConfig& span = config().span;
  const PaddedRows padded = pad(in.rows);
  const Tensor e = gather_rows(spans, padded.index);                   // [B, L]
  Tensor mask = expire_mask(e, padded.age, in.rows.block, span.ramp);  // [B, n, L]
  if (in.pass.options.window) {
    const int64_t window = in.pass.options.within(int64_t{config().max_span} + span.ramp);
    mask = mask * mask_by_distance(in, padded, Tensor::full({window}, 1));
  }
  const auto [scores, values] = attention_scores(in, padded);               // [B, K, n, L], [B, K, L, D]
  const Tensor weights = masked_renorm(softmax_where(scores, mask), mask);  // [B, K, n, L]
  Result result;
  result.out = weighted_values(weights, values, padded, in.pass.options);
  if (in.pass.options.training) result.aux = span_loss(e, padded.age, in.rows.block, span.ramp, span.loss);
  return result;
}

}  // namespace fade
