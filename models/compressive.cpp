#include "models/compressive.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/tape.h"
#include "nn/init.h"
#include "ops/conv1d/conv1d.h"
#include "ops/elementwise/elementwise.h"
#include "ops/gather_rows/gather_rows.h"
#include "ops/layer_norm/layer_norm.h"
#include "ops/layout/layout.h"
#include "ops/matmul/matmul.h"
#include "ops/reduce/reduce.h"
#include "ops/rms_norm/rms_norm.h"
#include "ops/softmax/softmax.h"

namespace fade {
namespace {

Tensor indices(const std::vector<int32_t>& values, Device device) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())}).to(device);
}

}  // namespace

CompressiveAttention::CompressiveAttention(Parameters& p, const std::string& name, const ModelConfig& config,
                                           Generator& random)
    : Attention(p, name, config, random) {
  if (config.compress.kind == CompressKind::mean) return;
  weight_ =
      p.add(name + ".compress.weight", {config.hidden, config.hidden, config.compress.rate}, Role::matrix);
  bias_ = p.add(name + ".compress.bias", {config.hidden});
  const double bound = 1 / std::sqrt(static_cast<double>(config.hidden) * config.compress.rate);
  init_uniform(weight_, bound, random.next());
  init_uniform(bias_, bound, random.next());
}

// Groups are counted from a stream's first position on, c rows each.
CompressiveAttention::LeavingGroups CompressiveAttention::leaving_groups(int64_t read, int64_t block) const {
  const int64_t c = config().compress.rate, held = exact_rows(), exact = std::min(read, held);
  const int64_t oldest = exact < held ? exact : held - (c - read % c) % c;
  const int64_t first_out = held - oldest, count = first_out < block ? (block - 1 - first_out) / c + 1 : 0;
  return {count, oldest, first_out};
}

Attention::Prepared CompressiveAttention::before_block(const LayerMemory& memory, const Tensor& block,
                                                       const LayerNorm* norm1,
                                                       const StepOptions& options) const {
  const int64_t B = memory.streams(), n = block.size(0) / B, c = config().compress.rate;
  const auto [groups, oldest, first_out] = leaving_groups(memory.read, n);
  const int64_t rows = memory.count() / B, exact = std::min(memory.read, exact_rows()), slots = rows - exact;
  if (groups == 0 && slots == 0) return {memory, {}};

  std::vector<int32_t> pooled, index, age, start{0};
  for (int64_t b = 0; b < B; ++b) {
    const int64_t first = b * rows, end = first + rows;
    for (int64_t a = oldest; a > oldest - groups * c; --a)  // a ≤ 0 (shortest window): a row of the block
      pooled.push_back(static_cast<int32_t>(a > 0 ? end - a : memory.count() + b * n - a));
    for (int64_t s = 0; s < slots + groups; ++s) {
      index.push_back(static_cast<int32_t>(s < slots ? first + s : memory.count() + b * groups + s - slots));
      age.push_back(static_cast<int32_t>(config().max_span + n + 1 - first_out + (slots - s) * c));
    }
    for (int64_t a = exact; a > 0; --a) {
      index.push_back(static_cast<int32_t>(end - a));
      age.push_back(static_cast<int32_t>(a));
    }
    start.push_back(static_cast<int32_t>(index.size()));
  }
  const Device device = block.device();
  Prepared prepared{memory, {}};
  prepared.memory.age = indices(age, device);
  prepared.memory.start = indices(start, device);
  if (groups == 0) return prepared;
  // In the type of the parameters, also where rows are bf16: a slot is rounded once.
  const DType type = query().weight.dtype();
  const Tensor evicted = gather_rows_of(memory.rows, block, indices(pooled, device))
                             .to(type)
                             .view({B * groups, c * config().hidden});
  {
    const NoGrad off;
    const Tensor made = compress(evicted).to(memory.rows.dtype());
    prepared.memory.rows = gather_rows_of(memory.rows, made, indices(index, device));
    prepared.memory.kept = {};  // those of the new slots are missing
  }
  if (options.training && weight_) prepared.aux = reconstruction_loss(evicted, block.to(type), B, norm1);
  return prepared;
}

CompressiveAttention::Seen CompressiveAttention::seen(const StepOptions& options) const {
  const int64_t S = config().max_span, c = config().compress.rate, all = config().compress.slots + 1;
  if (!options.window) return {S, all};
  return {std::min(S, options.window), std::clamp((options.window - S + 1) / c, int64_t{0}, all)};
}

Attention::Result CompressiveAttention::operator()(const Input& in) const {
  const int64_t S = config().max_span, n = in.rows.block, c = config().compress.rate,
                C = config().compress.slots;
  const Seen most = seen(in.pass.options);
  Result result;
  if (config().attention == AttentionPath::fused) {
    const SlotWindow slots{.count = static_cast<int32_t>(most.slots), .rate = static_cast<int32_t>(c)};
    const Tensor& all = in.pass.positions;
    result.out = attend(in, SpanMask::fixed(most.rows, slots),
                        most.slots <= C ? slice(all, 0, 0, most.rows + most.slots) : all);
  } else {
    const std::vector<int32_t> row = position_by_distance(n, most);
    std::vector<float> visible(row.size());
    std::ranges::transform(row, visible.begin(), [](int32_t r) { return r < 0 ? 0.f : 1.f; });
    const Tensor positions = gather_rows(in.pass.positions, indices(row, in.block.device()));  // [P', D]
    const PaddedRows padded = pad(in.rows);
    const auto [scores, values] = attention_scores(in, padded, positions);  // [B, K, n, L], [B, K, L, D]
    const Tensor mask =
        mask_by_distance(in, padded, Tensor::from(visible, {positions.size(0)}));  // [B, n, L]
    result.out = weighted_values(softmax_where(scores, mask), values, padded, in.pass.options);
  }

  // A row is kept if the next block's first query sees it: exact rows, and slots, whose ages exceed S.
  const NoGrad off;
  const Tensor past_window =
      in.rows.age.to(DType::f32) + Tensor::scalar(static_cast<double>(-S), DType::f32, in.block.device());
  const auto exact = static_cast<double>(exact_rows()), slot = static_cast<double>(S + n + (C + 1) * c);
  result.lifetime = {clamp(past_window, 0, 1) * (slot - exact), exact + 1};
  return result;
}

int64_t CompressiveAttention::position_rows(const ModelConfig& config) {
  return int64_t{config.max_span} + config.compress.slots + 1;
}

void CompressiveAttention::check(const ModelConfig& config, const Need& need) {
  const int rate = config.compress.rate;
  need(config.block % rate == 0, "model.compress.rate", "model.block",
       fmt::format("a divisor of model.block ({})", config.block));
  need(config.max_span >= config.block, "model.max_span", "model.block",
       fmt::format("at least model.block ({}) for model.kind compressive", config.block));
  constexpr int64_t oldest = 1 << 23;  // ages are exact in f32
  need(int64_t{config.compress.slots} * rate <= oldest, "model.compress.slots", "model.compress.rate",
       fmt::format("at most {} (slots times model.compress.rate)", oldest / rate));
}

int64_t CompressiveAttention::oldest_age(const ModelConfig& config) {
  const int64_t slots = int64_t{config.compress.slots + 1} * config.compress.rate;
  return int64_t{config.max_span} + config.span.ramp + 2 * int64_t{config.block} + slots;
}

std::vector<int32_t> CompressiveAttention::position_by_distance(int64_t block, Seen seen) const {
  const int32_t S = config().max_span, c = config().compress.rate;
  std::vector<int32_t> row(static_cast<size_t>(seen.rows));
  std::iota(row.begin(), row.end(), 0);
  if (seen.slots > 0) row.insert(row.end(), static_cast<size_t>(block), -1);
  for (int32_t slot = 0; slot < seen.slots; ++slot) row.insert(row.end(), static_cast<size_t>(c), S + slot);
  return row;
}

Tensor CompressiveAttention::compress(const Tensor& rows) const {
  const int64_t H = config().hidden, c = config().compress.rate;
  if (!weight_) return mean(reshape(rows, {-1, c, H}), 1);
  const Tensor groups = permute(reshape(rows, {-1, c, H}), {0, 2, 1});  // [G, H, c]: rows are positions
  return reshape(conv1d(groups, weight_, bias_, {.stride = c}), {-1, H});
}

Tensor CompressiveAttention::reconstruction_loss(const Tensor& old, const Tensor& block, int64_t streams,
                                                 const LayerNorm* norm1) const {
  const Tensor rows = reshape(old.detach(), {-1, config().hidden});
  const Tensor wanted = content_attention(rows, block, streams, norm1);  // [B, K, n, D]
  const Tensor difference = content_attention(compress(old), block, streams, norm1) - wanted;
  return mean(difference * difference);
}

Tensor CompressiveAttention::content_attention(const Tensor& rows, const Tensor& block, int64_t streams,
                                               const LayerNorm* norm1) const {
  const int64_t H = config().hidden;
  const auto normalised = [&](const Tensor& x) {
    return norm1 ? layer_norm(x, norm1->weight.detach(), norm1->bias.detach()) : x;
  };
  const auto project = [&](const Tensor& from, const Tensor& weight,
                           const std::optional<HeadNorm>& norm = {}) {  // [B·r, H] → [B, K, r, D]
    const Tensor y = matmul(from, weight.detach(), {.b = true});
    return split_heads(
        reshape(norm ? head_norm(y, norm->weight.detach(), config().heads) : y, {streams, -1, H}));
  };
  const Tensor x = normalised(rows), kv = key_value().weight;
  const Tensor q = project(normalised(block.detach()), query().weight, query_norm());
  const Tensor k = project(x, kv.rows(0, H), key_norm()), v = project(x, kv.rows(H, 2 * H));
  const Tensor s = matmul(q, k, {.b = true}) * (1 / std::sqrt(static_cast<double>(config().head_size())));
  return matmul(softmax(s), v);
}

}  // namespace fade
