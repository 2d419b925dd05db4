#include "models/attention.h"

#include <cmath>

#include "engine/tape.h"
#include "nn/init.h"
#include "ops/elementwise/elementwise.h"
#include "ops/gather_rows/gather_rows.h"
#include "ops/layout/layout.h"
#include "ops/matmul/matmul.h"
#include "ops/relative_position/relative_position.h"
#include "ops/span_attention/dropout_factors.h"

namespace fade {

Attention::Attention(Parameters& p, const std::string& name, const ModelConfig& config, Generator& random)
    : config_(config),
      query_(p, name + ".query", config.hidden, config.hidden, false, random),
      key_value_(p, {name + ".key", name + ".value"}, config.hidden, config.hidden, random),
      out_(p, name + ".out", config.hidden, config.hidden, false, random) {
  if (!config.qk_norm) return;
  query_norm_.emplace(p, name + ".query_norm", config.head_size());
  key_norm_.emplace(p, name + ".key_norm", config.head_size());
}

void Attention::scale_down_output(double divisor) const { init_scale(out_.weight, 1 / divisor); }

Attention::Prepared Attention::before_block(const LayerMemory& memory, const Tensor& /*block*/,
                                            const LayerNorm* /*norm1*/,
                                            const StepOptions& /*options*/) const {
  return {memory, {}};
}

Tensor Attention::queries(const Tensor& block) const {
  const Tensor q = query_(block);
  return query_norm_ ? (*query_norm_)(q, config_.heads) : q;
}

Tensor Attention::with_kept(const Input& in, Tensor KeptOfRows::*kept, const Tensor& computed) {
  if (!in.kept) return computed;
  Tensor& rows = in.kept->*kept;
  const Tensor& index = in.kept->index;
  return rows = !rows ? computed : index ? gather_above(rows, index, computed) : rows.append(computed);
}

Tensor Attention::keys_and_values(const Input& in) const {
  const Tensor kv = key_value_(in.memory, in.block);
  return with_kept(in, &KeptOfRows::kv, key_norm_ ? (*key_norm_)(kv, config_.heads) : kv);
}

Tensor Attention::attend(const Input& in, const SpanMask& mask, const Tensor& positions) const {
  const DropoutDraw drop = in.pass.options.next_dropout(config_.dropout, decisions_per_stream(config_.heads));
  return out_(span_attention(queries(in.block), keys_and_values(in), positions, in.rows, mask,
                             {.heads = config_.heads, .dropout = drop}));
}

Attention::Scored Attention::attention_scores(const Input& in, const PaddedRows& padded,
                                              const Tensor& positions) const {
  const int64_t B = in.rows.streams, n = in.rows.block;
  const int64_t H = config_.hidden, K = config_.heads, D = config_.head_size();
  const Tensor q = split_heads(reshape(queries(in.block), {B, n, H})) * (1 / std::sqrt(D));  // [B, K, n, D]
  const Tensor rows = gather_rows(keys_and_values(in), padded.index);                        // [B, L, 2H]
  const Tensor kv = permute(reshape(rows, {B, rows.size(1), 2, K, D}), {2, 0, 3, 1, 4});  // [2, B, K, L, D]
  const Tensor k = squeeze(slice(kv, 0, 0, 1), 0), v = squeeze(slice(kv, 0, 1, 2), 0);    // [B, K, L, D]
  const Tensor by_distance = matmul(q, positions, {.b = true});                           // [B, K, n, P']
  return {add_relative_position(matmul(q, k, {.b = true}), by_distance, padded.age), v};  // [B, K, n, L], ..
}

Tensor Attention::mask_by_distance(const Input& in, const PaddedRows& padded, const Tensor& seen) const {
  const int64_t B = in.rows.streams, n = in.rows.block;
  const NoGrad off;
  const Tensor everywhere = Tensor::zeros({B, 1, n, seen.numel()}, in.block.dtype(), in.block.device());
  return reshape(relative_position(everywhere + seen.to(in.block.dtype()).to(in.block.device()), padded.age),
                 {B, n, -1});
}

Tensor Attention::weighted_values(const Tensor& weights, const Tensor& values, const PaddedRows& padded,
                                  const StepOptions& options) const {
  if (options.on_weights) options.on_weights(weights, padded.age);
  const DropoutDraw drop = options.next_dropout(config_.dropout, decisions_per_stream(config_.heads));
  const auto dropped = [&] {
    return weights *
           dropout_factors_of_weights(padded.age, config_.heads, weights.size(2), drop, weights.dtype());
  };
  const Tensor sum = matmul(drop.p > 0 ? dropped() : weights, values);  // [B, K, n, D]
  return out_(reshape(permute(sum, {0, 2, 1, 3}), {-1, config_.hidden}));
}

Tensor Attention::split_heads(const Tensor& x) const {
  return permute(reshape(x, {x.size(0), x.size(1), config_.heads, config_.head_size()}), {0, 2, 1, 3});
}

}  // namespace fade
