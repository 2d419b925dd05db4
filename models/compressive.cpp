#include "models/compressive.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/tape.h"
#include "nn/init.h"
#include "ops/elementwise/elementwise.h"
#include "ops/gather_rows/gather_rows.h"
#include "ops/layout/layout.h"
#include "ops/matmul/matmul.h"
#include "ops/reduce/reduce.h"
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
  weight_ = p.add(name + ".compress.weight", {config.hidden, config.hidden, config.compress.rate});
  bias_ = p.add(name + ".compress.bias", {config.hidden});
  const double bound = 1 / std::sqrt(static_cast<double>(config.hidden) * config.compress.rate);
  init_uniform(weight_, bound, random.next());
  init_uniform(bias_, bound, random.next());
}

Attention::Context CompressiveAttention::context(const LayerMemory& memory, const Tensor& block) const {
  const int64_t B = memory.streams(), n = block.size(0) / B, c = config().compress.rate, held = exact_rows();
  const int64_t rows = memory.count() / B, exact = std::min(memory.read, held), slots = rows - exact;
  // Groups of c rows are counted from a stream's first position on. The oldest one that is not a slot yet:
  const int64_t oldest = exact < held ? exact : held - (c - memory.read % c) % c;  // age of its first row
  const int64_t first_out = held - oldest;  // the query at which it begins to leave the window
  const int64_t groups = first_out < n ? (n - 1 - first_out) / c + 1 : 0;
  if (groups == 0 && slots == 0) return {memory, {}};

  std::vector<int32_t> pooled, index, age, start{0};
  for (int64_t b = 0; b < B; ++b) {
    const int64_t first = b * rows, end = first + rows;
    for (int64_t a = oldest; a > oldest - groups * c;
         --a)  // (in the shortest window, the last may be the block's)
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
  const NoGrad off;
  const Device device = block.device();
  Context seen{memory, {}};
  seen.memory.age = indices(age, device);
  seen.memory.start = indices(start, device);
  if (groups == 0) return seen;
  seen.evicted =
      gather_rows_of(memory.rows, block, indices(pooled, device)).view({B * groups, c * config().hidden});
  seen.memory.rows = gather_rows_of(memory.rows, compress(seen.evicted), indices(index, device));
  return seen;
}

Attention::Result CompressiveAttention::operator()(const Input& in) const {
  const int64_t S = config().max_span, n = in.rows.block, c = config().compress.rate,
                C = config().compress.slots;
  Result result;
  if (config().attention == AttentionPath::fused) {
    result.out = attend(
        in, SpanMask::fixed(S, {.count = static_cast<int32_t>(C + 1), .rate = static_cast<int32_t>(c)}));
  } else {
    const std::vector<int32_t> row = position_by_distance(n);
    std::vector<float> seen(row.size());
    std::ranges::transform(row, seen.begin(), [](int32_t r) { return r < 0 ? 0.f : 1.f; });
    const Tensor positions = gather_rows(in.positions, indices(row, in.block.device()));  // [P', D]
    const PaddedRows padded = pad(in.rows);
    const auto [scores, values] = score(in, padded, positions);  // [B, K, n, L], [B, K, L, D]
    const Tensor mask = mask_by_distance(in, padded, Tensor::from(seen, {positions.size(0)}));  // [B, n, L]
    result.out = mix(softmax_where(scores, mask), values, in.options);
  }
  if (in.options.training && weight_ && in.evicted) result.aux = reconstruction_loss(in);

  // A row is kept if the next block's first query sees it: exact rows, and slots, whose ages exceed S.
  const NoGrad off;
  const Tensor past_window =
      in.rows.age.to(DType::f32) + Tensor::scalar(static_cast<double>(-S), DType::f32, in.block.device());
  const auto exact = static_cast<double>(exact_rows()), slot = static_cast<double>(S + n + (C + 1) * c);
  result.lifetime = {clamp(past_window, 0, 1) * (slot - exact), exact + 1};
  return result;
}

std::vector<int32_t> CompressiveAttention::position_by_distance(int64_t block) const {
  const int32_t S = config().max_span, c = config().compress.rate, C = config().compress.slots;
  std::vector<int32_t> row(static_cast<size_t>(S));
  std::iota(row.begin(), row.end(), 0);
  row.insert(row.end(), static_cast<size_t>(block), -1);
  for (int32_t slot = 0; slot <= C; ++slot) row.insert(row.end(), static_cast<size_t>(c), S + slot);
  return row;
}

Tensor CompressiveAttention::compress(const Tensor& rows) const {
  const int64_t H = config().hidden, c = config().compress.rate;
  if (!weight_) return mean(reshape(rows, {-1, c, H}), 1);
  const Tensor by_place = reshape(permute(weight_, {0, 2, 1}), {H, c * H});
  return matmul(rows, by_place, {.b = true}) + bias_;
}

Tensor CompressiveAttention::reconstruction_loss(const Input& in) const {
  const int64_t H = config().hidden;
  Tensor old;
  {
    const NoGrad off;
    old = content_attention(in, reshape(in.evicted, {-1, H}));
  }
  const Tensor difference = content_attention(in, compress(in.evicted)) - old;  // [B, K, n, D]
  return mean(difference * difference);
}

}  // namespace fade
