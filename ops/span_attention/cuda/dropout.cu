// Draws which weights dropout keeps, one bit of each.
#include "engine/cuda/map.h"
#include "ops/dropout/keep_bits.h"
#include "ops/span_attention/span_attention_kernels.h"

namespace fade {
namespace {

/// N consecutive words of a context row and a head. Neighbouring threads have the words of the same queries, of
/// neighbouring heads and rows: mostly all words of a warp are in reach, or none is.
template <int N>
struct DrawWords {
  const int32_t *start, *age;
  SpanAttentionSizes sizes;
  MaskFormula<float> mask;
  int64_t pairs, packs;  // of a row and a head, and of the words of each
  uint32_t threshold;
  int32_t* kept;

  __device__ void operator()(int64_t at) const {
    const int64_t of_warp = at / kWarp, pack = of_warp % packs, pair = of_warp / packs * kWarp + at % kWarp;
    if (pair >= pairs) return;
    const int64_t head = pair % sizes.heads, row = pair / sizes.heads;
    const uint64_t number = dropout_index(sizes.stream_of(start, row), sizes.heads, head, sizes.block,
                                          age[row], 32 * N * pack),
                   first = (sizes.dropout.first + number) / 8;
    Pack<int32_t, N> words;
#pragma unroll
    for (int n = 0; n < N; ++n)
      words.v[n] =
          word_in_reach(mask, age[row], static_cast<int32_t>(N * pack + n)) ? draw(first + 4 * n) : 0;
    store_pack(kept + (pair * packs + pack) * N, words);
  }

  __device__ int32_t draw(uint64_t first) const {
    uint32_t bits = 0;
    for (unsigned n = 0; n < 4; ++n) bits |= keep_bits(sizes.dropout.key, first + n, threshold) << (8 * n);
    return static_cast<int32_t>(bits);
  }
};

void draw(const Tensor& start, const Tensor& age, const SpanAttentionSizes& sizes, Out kept) {
  const int64_t words = query_words(sizes.block), pairs = age.numel() * sizes.heads;
  const auto go = [&]<int N>() {
    const int64_t packs = words / N;
    launch_each("span_attention dropout", (pairs + kWarp - 1) / kWarp * kWarp * packs,
                DrawWords<N>{.start = start.data<int32_t>(),
                             .age = age.data<int32_t>(),
                             .sizes = sizes,
                             .mask = mask_formula<float>(sizes, nullptr),
                             .pairs = pairs,
                             .packs = packs,
                             .threshold = KeepRule(sizes.dropout.p).threshold,
                             .kept = kept.mutate<int32_t>()});
  };
  words % 4 == 0 ? go.template operator()<4>() : go.template operator()<1>();
}

[[maybe_unused]] const bool registered = span_attention_dropout.implement(Device::cuda, draw);

}  // namespace
}  // namespace fade
