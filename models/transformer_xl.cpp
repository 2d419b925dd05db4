#include "models/transformer_xl.h"

#include "ops/softmax/softmax.h"

namespace fade {
namespace {

// [B, n, L]: 1 where row j is at a distance of 1..S from query i, else 0.
Tensor window_mask(const Tensor& age, int64_t block, int64_t max_span, DType dtype) {
  const int64_t B = age.size(0), L = age.size(1);
  const std::vector<int32_t> a = age.to_vector<int32_t>();
  std::vector<float> mask(static_cast<size_t>(B * block * L));
  for (int64_t b = 0; b < B; ++b)
    for (int64_t i = 0; i < block; ++i)
      for (int64_t j = 0; j < L; ++j) {
        const int64_t distance = a[b * L + j] + i;
        mask[(b * block + i) * L + j] = distance >= 1 && distance <= max_span;
      }
  return Tensor::from(mask, {B, block, L}).to(dtype).to(age.device());
}

}  // namespace

Attention::Result TransformerXlAttention::operator()(const Input& in) const {
  const int64_t S = config().max_span;
  Result result;
  if (config().attention == AttentionPath::fused) {
    result.out = attend(in, SpanMask::fixed(S));
  } else {
    const PaddedRows padded = pad(in.rows);
    const auto [scores, values] = score(in, padded);  // [B, K, n, L], [B, K, L, D]
    const Tensor mask = window_mask(padded.age, in.rows.block, S, in.block.dtype());  // [B, n, L]
    result.out = mix(softmax_where(scores, mask), values, in.options);
  }
  result.lifetime = {.span = {}, .reach = static_cast<double>(S) + 1};  // seen up to a distance of S
  return result;
}

}  // namespace fade
