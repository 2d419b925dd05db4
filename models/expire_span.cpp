#include "models/expire_span.h"

#include <cmath>

#include "engine/tape.h"
#include "nn/init.h"
#include "ops/dropout/dropout.h"
#include "ops/elementwise/elementwise.h"
#include "ops/expire_mask/expire_mask.h"
#include "ops/gather_rows/gather_rows.h"
#include "ops/layout/layout.h"
#include "ops/masked_renorm/masked_renorm.h"
#include "ops/matmul/matmul.h"
#include "ops/relative_position/relative_position.h"
#include "ops/softmax/softmax.h"
#include "ops/span_loss/span_loss.h"

namespace fade {
namespace {

// [B, L, K·D] → [B, K, L, D]
Tensor split_heads(const Tensor& x, int64_t heads) {
  return permute(reshape(x, {x.size(0), x.size(1), heads, x.size(2) / heads}), {0, 2, 1, 3});
}

// [B, K, n, D] → [B·n, K·D]
Tensor merge_heads(const Tensor& x) {
  return reshape(permute(x, {0, 2, 1, 3}), {x.size(0) * x.size(2), x.size(1) * x.size(3)});
}

}  // namespace

SpanPredictor::SpanPredictor(Parameters& p, const std::string& name, const ModelConfig& config)
    : weight(p.add(name + ".weight", {1, config.hidden})),
      bias(p.add(name + ".bias", {1})),
      max_span(config.max_span),
      pre_div(config.span.pre_div) {
  init_constant(bias, -std::log(1 / config.span.init - 1));  // weight is 0: every row starts at span.init·S
}

Tensor SpanPredictor::operator()(const Tensor& h) const {
  const Tensor z = matmul(h, weight, {.b = true}) * (1 / pre_div) + bias;  // [N, 1]
  return reshape(sigmoid(z) * max_span, {-1});
}

ExpireSpanAttention::ExpireSpanAttention(Parameters& p, const std::string& name, const ModelConfig& config,
                                         Generator& random)
    : config_(config),
      query_(p, name + ".query", config.hidden, config.hidden, false, random),
      out_(p, name + ".out", config.hidden, config.hidden, false, random),
      key_value_(p, {name + ".key", name + ".value"}, config.hidden, config.hidden, random),
      span_(p, name + ".span", config) {}

void ExpireSpanAttention::scale_down_output(double divisor) { init_scale(out_.weight, 1 / divisor); }

ExpireSpanAttention::Result ExpireSpanAttention::operator()(const Tensor& h, const ContextRows& rows,
                                                            const Tensor& positions, double noise,
                                                            const StepOptions& options) const {
  Result result;
  const Tensor e = span_(h);                                                 // [N]
  const Tensor cut = noise < 1 ? clamp(e, 0, noise * config_.max_span) : e;  // min(e, u·S)
  const ContextRows::Padded padded = rows.pad(h.device());                   // [B, L]
  const Tensor spans = gather_rows(cut, padded.index);                       // [B, L]
  result.out = attend(h, spans, padded, rows, positions, options);           // [B·n, H]
  if (options.training)
    result.aux = span_loss(spans, padded.age, rows.block, config_.span.ramp, config_.span.loss);

  // Forgetting goes by the span without noise: a row is dropped when even the next block's first query, the
  // nearest that is left, would find its mask at zero.
  const std::vector<double> span = e.detach().to(DType::f64).to_vector<double>();
  double block_spans = 0;
  result.keep.resize(span.size());
  for (int64_t j = 0; j < rows.count(); ++j) {
    result.keep[j] = !options.forget || span[j] + config_.span.ramp > rows.age[j] + rows.block;
    if (j >= rows.memory_rows()) block_spans += span[j];
  }
  result.mean_span = block_spans / static_cast<double>(rows.streams * rows.block);
  return result;
}

Tensor ExpireSpanAttention::attend(const Tensor& h, const Tensor& spans, const ContextRows::Padded& padded,
                                   const ContextRows& rows, const Tensor& positions,
                                   const StepOptions& options) const {
  const int64_t B = rows.streams, n = rows.block, K = config_.heads, H = config_.hidden;
  const Tensor block = slice(h, 0, rows.memory_rows(), rows.count());  // [B·n, H]
  const Tensor q = split_heads(reshape(query_(block), {B, n, H}), K);  // [B, K, n, D]
  const Tensor kv = gather_rows(key_value_(h), padded.index);          // [B, L, 2H]
  const Tensor k = split_heads(slice(kv, 2, 0, H), K);                 // [B, K, L, D]
  const Tensor v = split_heads(slice(kv, 2, H, 2 * H), K);             // [B, K, L, D]

  const Tensor by_distance = matmul(q, positions, {.b = true});  // [B, K, n, P]
  const Tensor scores = scale(matmul(q, k, {.b = true}) + relative_position(by_distance, padded.age),
                              1 / std::sqrt(static_cast<double>(config_.head_size())));  // [B, K, n, L]
  const Tensor mask = expire_mask(spans, padded.age, n, config_.span.ramp);              // [B, n, L]
  Tensor weights = masked_renorm(softmax_where(scores, mask), mask);                     // [B, K, n, L]
  if (options.training && config_.dropout > 0)
    weights = dropout(weights, config_.dropout, options.random->next());
  return out_(merge_heads(matmul(weights, v)));
}

}  // namespace fade
