// Forward of one tile of queries: an online softmax over tiles of at most 64 queries × 64 visible context
// rows, in SIMD.
//
// A tile is stored context row by context row, with one query per lane (scores_t[j][i]). So K and V are read
// as they are, maximum and sums over the rows need no step across lanes, and a row's position scores are
// consecutive in `by_age`, in any order of the rows.
#include "ops/span_attention/cpu/arrays.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/span_attention/cpu/forward.cpp"
#include <hwy/foreach_target.h>
// After foreach_target: included once per instruction set.
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "ops/matmul/product-inl.h"
#include "ops/span_attention/cpu/layout-inl.h"
#include "ops/span_attention/cpu/mask-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {
namespace {

/// The online softmax: turns the scores s in weights_t into g·m·u. row_max rises to the tile's maximum, and
/// what has been summed so far is scaled to it.
template <bool kFull, bool kDropout, class T>
void online_softmax_step(const AttentionArrays<T>& x, Head head, const MaskFormula<T>& mask,
                         const RowTile<T>& tile, QueryTile queries, const ForwardScratch<T>& s) {
  const hn::ScalableTag<T> d;
  if constexpr (!kFull)
    for (int64_t j = 0; j < tile.count; ++j) {
      hide_scores(mask, tile, j, queries.first, s.weights_t + j * kTile);
      mask_values(mask, tile, j, queries.first, s.mask_t + j * kTile);
    }
  for (int64_t at = 0; at < queries.count; at += hn::Lanes(d)) {
    const auto max_before = hn::Load(d, s.row_max + at);
    auto row_max = max_before;  // h
    for (int64_t j = 0; j < tile.count; ++j)
      row_max = hn::Max(row_max, hn::Load(d, s.weights_t + j * kTile + at));

    const auto rescale = hn::Exp(d, hn::Sub(max_before, row_max));  // e^(h − h')
    auto sum_exp = hn::Mul(hn::Load(d, s.sum_exp + at), rescale);
    auto masked_sum_exp = hn::Mul(hn::Load(d, s.masked_sum_exp + at), rescale);
    for (int64_t k = 0; k < x.head_size; ++k) {
      T* out = s.out_t + k * kTile + at;
      hn::Store(hn::Mul(hn::Load(d, out), rescale), d, out);
    }
    for (int64_t j = 0; j < tile.count; ++j) {
      if (at == 0) prefetch_next(x, head, tile, j);
      T* weight = s.weights_t + j * kTile + at;
      const auto u = hn::Exp(d, hn::Sub(hn::Load(d, weight), row_max));  // F3: 0 where the score is −∞
      auto mu = u;
      if constexpr (!kFull) mu = hn::Mul(hn::Load(d, s.mask_t + j * kTile + at), u);
      sum_exp = hn::Add(sum_exp, u);  // F4
      masked_sum_exp = hn::Add(masked_sum_exp, mu);
      if constexpr (kDropout) mu = where_kept(d, s.kept[j], at, hn::Mul(mu, hn::Set(d, x.kept_factor)));
      hn::Store(mu, d, weight);
    }
    hn::Store(row_max, d, s.row_max + at);
    hn::Store(sum_exp, d, s.sum_exp + at);
    hn::Store(masked_sum_exp, d, s.masked_sum_exp + at);
  }
}

/// F6 and F7: out_t = O/(N + ε Z), and each query's lse. A query with an empty domain gives zeros.
template <class T>
void normalise(const AttentionArrays<T>& x, QueryTile queries, const ForwardScratch<T>& s, T* lse) {
  T factor[kTile];
  for (int64_t i = 0; i < kTile; ++i) {
    const T denominator = s.masked_sum_exp[i] + epsilon(x) * s.sum_exp[i];
    factor[i] = denominator > 0 ? 1 / denominator : 0;
    if (i < queries.count) lse[i] = denominator > 0 ? s.row_max[i] + std::log(denominator) : 0;
  }
  for (int64_t k = 0; k < x.head_size; ++k) {
    for (int64_t i = 0; i < kTile; ++i) s.out_t[k * kTile + i] *= factor[i];
  }
}

template <class T>
void forward(const ForwardArrays<T>& x, Head at, int64_t first_query, T* scratch) {
  const QueryTile queries{.first = first_query,
                          .count = std::min<int64_t>(kTile, x.sizes.block - first_query)};
  const MaskFormula<T> mask = mask_formula(x.sizes, x.span);
  const ForwardScratch<T> s{{x, scratch}};
  const int64_t offset = query_offset(x, at, queries);

  load_queries(x, queries, x.q + offset, score_scale(x), s.q, s.q_t);
  position_scores(x, queries, s.q_t, s.by_distance, s.by_age);
  std::fill(s.out_t, s.out_t + padded_head(x.head_size) * kTile, T{0});
  std::fill(s.row_max, s.row_max + kTile, T{-1e30f});
  std::fill(s.sum_exp, s.sum_exp + kTile, T{0});
  std::fill(s.masked_sum_exp, s.masked_sum_exp + kTile, T{0});

  const auto process_tile = [&](const RowTile<T>& tile) {
    load_rows(x, at, tile, s.keys, s.values);
    tile_scores(x, tile, queries, s.q_t, s.keys, s.by_age, s.weights_t);  // F2
    if (x.kept) load_kept(x, at, tile, queries.first, s.kept);
    with_flags(tile.full, x.kept, [&]<bool kFull, bool kDropout>() {
      online_softmax_step<kFull, kDropout>(x, at, mask, tile, queries, s);  // F3, F4
    });
    product<Into::add, T>(x.head_size, queries.count, tile.count, {s.values, 1, x.head_size},
                          {s.weights_t, kTile}, {s.out_t, kTile});  // F5
  };
  for_each_tile(x, at, mask, queries, process_tile, [](int64_t) {});

  normalise(x, queries, s, x.lse + lse_offset(x, at, queries));
  store_queries(x, queries, s.out_t, T{1}, s.q, x.out + offset);
}

}  // namespace

void forward_f32(const ForwardArrays<float>& x, Head at, int64_t q, float* s) { forward(x, at, q, s); }
void forward_f64(const ForwardArrays<double>& x, Head at, int64_t q, double* s) { forward(x, at, q, s); }

}  // namespace fade::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fade {

HWY_EXPORT(forward_f32);
HWY_EXPORT(forward_f64);

template <>
void forward_tile(const ForwardArrays<float>& x, Head head, int64_t first_query, float* scratch) {
  HWY_DYNAMIC_DISPATCH(forward_f32)(x, head, first_query, scratch);
}
template <>
void forward_tile(const ForwardArrays<double>& x, Head head, int64_t first_query, double* scratch) {
  HWY_DYNAMIC_DISPATCH(forward_f64)(x, head, first_query, scratch);
}

}  // namespace fade
#endif
