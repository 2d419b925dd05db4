// Draws which weights dropout keeps, one bit of each.
#include "engine/cuda/map.h"
#include "ops/dropout/keep_bits.h"
#include "ops/span_attention/span_attention_kernels.h"

namespace fade {
namespace {

/// One word, of 32 queries, a context row and a head.
struct DrawWord {
  const int32_t *start, *age;
  SpanAttentionSizes sizes;
  int64_t words;
  uint32_t threshold;
  int32_t* kept;
  __device__ void operator()(int64_t at) const {
    const int64_t query = at % words * 32, pair = at / words;
    const int64_t head = pair % sizes.heads, row = pair / sizes.heads;
    const uint64_t first =
        dropout_index(sizes.stream_of(start, row), sizes.heads, head, sizes.block, age[row], query) / 8;
    uint32_t bits = 0;
    for (unsigned n = 0; n < 4; ++n) bits |= keep_bits(sizes.key, first + n, threshold) << (8 * n);
    kept[at] = static_cast<int32_t>(bits);
  }
};

void draw(const Tensor& start, const Tensor& age, const SpanAttentionSizes& sizes, Out kept) {
  launch_each("span_attention dropout", kept.numel(),
              DrawWord{start.data<int32_t>(), age.data<int32_t>(), sizes, query_words(sizes.block),
                       KeepRule(sizes.dropout).threshold, kept.mutate<int32_t>()});
}

[[maybe_unused]] const bool registered = span_attention_dropout.implement(Device::cuda, draw);

}  // namespace
}  // namespace fade
