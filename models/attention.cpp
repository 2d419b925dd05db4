#include "models/attention.h"

#include <algorithm>
#include <cmath>

#include "engine/tape.h"
#include "models/adaptive_span.h"
#include "models/compressive.h"
#include "models/expire_span.h"
#include "models/transformer_xl.h"
#include "nn/init.h"
#include "ops/dropout/dropout.h"
#include "ops/elementwise/elementwise.h"
#include "ops/gather_rows/gather_rows.h"
#include "ops/layer_norm/layer_norm.h"
#include "ops/layout/layout.h"
#include "ops/matmul/matmul.h"
#include "ops/relative_position/relative_position.h"
#include "ops/softmax/softmax.h"

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

Attention::Attention(Parameters& p, const std::string& name, const ModelConfig& config, Generator& random)
    : config_(config),
      query_(p, name + ".query", config.hidden, config.hidden, false, random),
      key_value_(p, {name + ".key", name + ".value"}, config.hidden, config.hidden, random),
      out_(p, name + ".out", config.hidden, config.hidden, false, random) {}

void Attention::scale_down_output(double divisor) const { init_scale(out_.weight, 1 / divisor); }

Tensor Attention::attend(const Input& in, const SpanMask& mask) const {
  SpanAttentionOptions options{.heads = config_.heads};
  if (in.options.stochastic() && config_.dropout > 0) {
    options.dropout = config_.dropout;
    options.key = in.options.random->next();
  }
  return out_(span_attention(query_(in.block), key_value_(in.memory, in.block), in.positions, in.rows, mask,
                             options));
}

Attention::Scored Attention::score(const Input& in, const PaddedRows& padded, const Tensor& positions) const {
  const int64_t B = in.rows.streams, n = in.rows.block, K = config_.heads, H = config_.hidden;
  const Tensor q = split_heads(reshape(query_(in.block), {B, n, H}), K);         // [B, K, n, D]
  const Tensor kv = gather_rows(key_value_(in.memory, in.block), padded.index);  // [B, L, 2H]
  const Tensor k = split_heads(slice(kv, 2, 0, H), K);                           // [B, K, L, D]
  const Tensor v = split_heads(slice(kv, 2, H, 2 * H), K);                       // [B, K, L, D]
  const Tensor by_distance = matmul(q, positions, {.b = true});                  // [B, K, n, P]
  const Tensor s = matmul(q, k, {.b = true}) + relative_position(by_distance, padded.age);
  return {s * (1 / std::sqrt(static_cast<double>(config_.head_size()))), v};  // [B, K, n, L], [B, K, L, D]
}

Tensor Attention::mask_by_distance(const Input& in, const PaddedRows& padded, const Tensor& seen) const {
  const int64_t B = in.rows.streams, n = in.rows.block;
  const NoGrad off;
  const Tensor everywhere = Tensor::zeros({B, 1, n, seen.numel()}, in.block.dtype(), in.block.device());
  return reshape(relative_position(everywhere + seen.to(in.block.dtype()).to(in.block.device()), padded.age),
                 {B, n, -1});
}

Tensor Attention::content_attention(const Input& in, const Tensor& rows) const {
  const int64_t B = in.rows.streams, K = config_.heads, H = config_.hidden;
  const Tensor x = in.norm ? layer_norm(rows, in.norm->weight.detach(), in.norm->bias.detach()) : rows;
  const auto project = [&](const Tensor& from, const Tensor& weight) {  // [B·r, H] → [B, K, r, D]
    return split_heads(reshape(matmul(from, weight.detach(), {.b = true}), {B, -1, H}), K);
  };
  const Tensor q = project(in.block.detach(), query_.weight);
  const Tensor k = project(x, key_value_.weight.rows(0, H)), v = project(x, key_value_.weight.rows(H, 2 * H));
  const Tensor s = matmul(q, k, {.b = true}) * (1 / std::sqrt(static_cast<double>(config_.head_size())));
  return matmul(softmax(s), v);
}

Tensor Attention::mix(const Tensor& weights, const Tensor& values, const StepOptions& options) const {
  const bool drop = options.stochastic() && config_.dropout > 0;
  const Tensor w = drop ? dropout(weights, config_.dropout, options.random->next()) : weights;
  return out_(merge_heads(matmul(w, values)));
}

int64_t position_rows(const ModelConfig& config) {
  switch (config.kind) {
    case Kind::expire_span:
      return std::min(config.block, config.max_span);
    case Kind::compressive:
      return int64_t{config.max_span} + config.compress.slots + 1;
    default:
      return config.max_span;
  }
}

std::unique_ptr<Attention> make_attention(Parameters& p, const std::string& name, const ModelConfig& config,
                                          Generator& random) {
  switch (config.kind) {
    case Kind::expire_span:
      return std::make_unique<ExpireSpanAttention>(p, name, config, random);
    case Kind::transformer_xl:
      return std::make_unique<TransformerXlAttention>(p, name, config, random);
    case Kind::adaptive_span:
      return std::make_unique<AdaptiveSpanAttention>(p, name, config, random);
    case Kind::compressive:
      return std::make_unique<CompressiveAttention>(p, name, config, random);
  }
  fail("make_attention: kind {} is none of models/config.h", static_cast<int>(config.kind));
}

}  // namespace fade
