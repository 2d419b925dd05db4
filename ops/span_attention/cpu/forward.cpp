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
#include "ops/span_attention/cpu/exp-inl.h"
#include "ops/span_attention/cpu/layout-inl.h"
#include "ops/span_attention/cpu/mask-inl.h"
#include "ops/span_attention/cpu/tiles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {
namespace {

/// The largest score in the tile of the queries from `at` on. Four chains: a maximum takes four cycles.
template <class D, class T>
HWY_INLINE hn::Vec<D> largest_scores(D d, const RowTile& tile, const T* scores_t, int64_t at) {
  const auto score = [&](int64_t j) HWY_ATTR { return hn::Load(d, scores_t + j * kTile + at); };
  auto a = score(0), b = a, c = a, e = a;
  int64_t j = 0;
  for (; j + 4 <= tile.count; j += 4) {
    a = hn::Max(a, score(j));
    b = hn::Max(b, score(j + 1));
    c = hn::Max(c, score(j + 2));
    e = hn::Max(e, score(j + 3));
  }
  for (; j < tile.count; ++j) a = hn::Max(a, score(j));
  return hn::Max(hn::Max(a, b), hn::Max(c, e));
}

/// Raises h of the queries from `at` on to their largest score in the tile, and scales what has been summed so far.
/// h may be any number: it stays as long as no exponential of these queries exceeds e^kSlack, which is rarely after
/// the first tile.
template <class T, class D, class V>
HWY_INLINE V raise_row_max(D d, const AttentionArrays<T>& x, V largest, int64_t at,
                           const ForwardScratch<T>& s) {
  constexpr T kSlack = 11;
  const V before = hn::Load(d, s.row_max + at);
  if (hn::AllFalse(d, hn::Gt(largest, hn::Add(before, hn::Set(d, kSlack))))) return before;
  const V row_max = hn::Max(before, largest), rescale = softmax_exp(d, hn::Sub(before, row_max));
  const auto scale = [&](T* sums) HWY_ATTR { hn::Store(hn::Mul(hn::Load(d, sums), rescale), d, sums); };
  scale(s.sum_exp + at);
  scale(s.masked_sum_exp + at);
  for (int64_t k = 0; k < x.head_size; ++k) scale(s.out_t + k * kTile + at);
  hn::Store(row_max, d, s.row_max + at);
  return row_max;
}

/// The online softmax: turns the scores s in weights_t into m·u, or 0 where dropout keeps no weight. If no row fades,
/// m is 1 wherever u is not 0.
template <bool kFades, bool kDropout, class T>
void online_softmax_step(const AttentionArrays<T>& x, Head head, const RowTile& tile, QueryTile queries,
                         const ForwardScratch<T>& s) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = hn::Lanes(d), vectors = (queries.count + lanes - 1) / lanes;
  for (int64_t v = 0; v < vectors; ++v) {
    const int64_t at = v * lanes;
    const auto row_max = raise_row_max(d, x, largest_scores(d, tile, s.weights_t, at), at, s);  // h
    auto sum_exp = hn::Zero(d), masked_sum_exp = hn::Zero(d);
    for (int64_t j = 0; j < tile.count; ++j) {
      prefetch_next(x, head, tile, j, v, vectors);
      T* weight = s.weights_t + j * kTile + at;
      const auto u = softmax_exp(d, hn::Sub(hn::Load(d, weight), row_max));  // F3
      auto mu = u;
      sum_exp = hn::Add(sum_exp, u);  // F4
      if constexpr (kFades) {
        mu = hn::Mul(hn::Load(d, s.mask_t + j * kTile + at), u);
        masked_sum_exp = hn::Add(masked_sum_exp, mu);
      }
      if constexpr (kDropout) mu = hn::IfThenElseZero(lanes_of(d, s.kept[j], at), mu);
      hn::Store(mu, d, weight);
    }
    const auto add = [&](T* sums, auto part)
                         HWY_ATTR { hn::Store(hn::Add(hn::Load(d, sums), part), d, sums); };
    add(s.sum_exp + at, sum_exp);
    add(s.masked_sum_exp + at, kFades ? masked_sum_exp : sum_exp);
  }
}

/// F6 and F7: out_t = g·O/(N + ε Z), and each query's lse. A query with an empty domain gives zeros.
template <class T>
void normalise(const AttentionArrays<T>& x, QueryTile queries, const ForwardScratch<T>& s, T* lse) {
  const hn::ScalableTag<T> d;
  HWY_ALIGN T all_lse[kTile];
  for (int64_t at = 0; at < kTile; at += hn::Lanes(d)) {
    const auto denominator =
        hn::MulAdd(hn::Set(d, epsilon(x)), hn::Load(d, s.sum_exp + at), hn::Load(d, s.masked_sum_exp + at));
    const auto sees = hn::Gt(denominator, hn::Zero(d));
    const auto factor = hn::IfThenElseZero(sees, hn::Div(hn::Set(d, x.kept_factor), denominator));
    for (int64_t k = 0; k < x.head_size; ++k) {
      T* out = s.out_t + k * kTile + at;
      hn::Store(hn::Mul(hn::Load(d, out), factor), d, out);
    }
    const auto log_sum = hn::Add(hn::Load(d, s.row_max + at), hn::Log(d, denominator));
    hn::Store(hn::IfThenElseZero(sees, log_sum), d, all_lse + at);
  }
  copy_row(all_lse, queries.count, lse);
}

/// Adds the tile of rows to what has been summed for the queries.
template <class T>
void forward_step(const AttentionArrays<T>& x, Head at, const MaskFormula<T>& mask, const RowTile& tile,
                  QueryTile queries, const ForwardScratch<T>& s) {
  const TileMask<T> view(x, at, mask, tile, queries);
  tile_scores(x, at, tile, queries, s.q_t, s.by_age, s.weights_t);  // F2
  hide_scores(tile, view, queries, s.weights_t);
  if (view.any_fades)
    for (int64_t j = 0; j < tile.count; ++j) mask_values(mask, view, j, queries, s.mask_t + j * kTile);
  if (x.kept) load_kept(x, at, tile, queries, s.kept);
  with_flags(view.any_fades, x.kept, [&]<bool kFades, bool kDropout>() HWY_ATTR {
    online_softmax_step<kFades, kDropout>(x, at, tile, queries, s);  // F3, F4
  });
  product<Into::add, T>(x.head_size, queries.count, tile.count, values_of<GatheredColumns>(x, at, tile),
                        {s.weights_t, kTile}, {s.out_t, kTile});  // F5
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

  const auto process_tile = [&](const RowTile& tile) HWY_ATTR {
    forward_step(x, at, mask, tile, queries.from(tile.unseen), s.from(tile.unseen));
  };
  for_each_tile(x, at, mask, queries, process_tile, [](int64_t) HWY_ATTR {});

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
