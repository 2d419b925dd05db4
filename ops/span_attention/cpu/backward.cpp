// Backward of one head, tile by tile as in forward: each tile is computed
// again from q, K and lse, and B1 to B11 follow.
#include "ops/span_attention/cpu/arrays.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/span_attention/cpu/backward.cpp"
#include <hwy/foreach_target.h>
// After foreach_target: included once per instruction set.
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include <numeric>

#include "ops/matmul/product-inl.h"
#include "ops/span_attention/cpu/exp-inl.h"
#include "ops/span_attention/cpu/layout-inl.h"
#include "ops/span_attention/cpu/mask-inl.h"
#include "ops/span_attention/cpu/tiles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {
namespace {

/// Forward was w = P = m·U with U = e^(s − lse), then out = Σ g·P·v. So, element by element, for row j of the tile:
///   dscores_t: s → dS;    weights_t: g·(dO·v) → P of the weights that are kept.
/// Returns the tile's part of de_j. A row that does not fade has m = 1 wherever U is not 0.
template <bool kFades, bool kDropout, class T>
HWY_INLINE T softmax_backward_row(const AttentionArrays<T>& x, const T* m, const T* slopes, int64_t j,
                                  QueryTile queries, const BackwardScratch<T>& s) {
  const hn::ScalableTag<T> d;
  const auto eps = hn::Set(d, epsilon(x)), one_and_eps = hn::Set(d, 1 + epsilon(x));
  auto de = hn::Zero(d);
  for (int64_t at = 0; at < queries.count; at += hn::Lanes(d)) {
    T *dscore = s.dscores_t + j * kTile + at, *weight = s.weights_t + j * kTile + at;
    const auto delta = hn::Load(d, s.delta + at);
    const auto u =
        softmax_exp(d, hn::Sub(hn::Load(d, dscore), hn::Load(d, s.lse + at)));  // B2: U, 0 where s is −∞
    const auto p = kFades ? hn::Mul(hn::Load(d, m + at), u) : u;                // B3: P
    auto dp = hn::Load(d, weight), kept = p;                                    // B4: dP = g·(dO·v)
    if constexpr (kDropout) {
      const auto is_kept = lanes_of(d, s.kept[j], at);
      dp = hn::IfThenElseZero(is_kept, dp);
      kept = hn::IfThenElseZero(is_kept, p);
    }
    hn::Store(kept, d, weight);
    if constexpr (kFades) {
      const auto dm = hn::Mul(u, hn::Sub(dp, delta)), slope = hn::Load(d, slopes + at);  // B5
      de = hn::IfThenElse(hn::Ne(slope, hn::Zero(d)), hn::MulAdd(slope, dm, de), de);    // B11, times R
      hn::Store(hn::NegMulAdd(hn::Mul(eps, u), delta, hn::Mul(hn::Load(d, m + at), dm)), d, dscore);  // B6
    } else {
      hn::Store(hn::Mul(u, hn::NegMulAdd(one_and_eps, delta, dp)), d,
                dscore);  // B5 and B6: dS = U·(dP − (1 + ε)Δ)
    }
  }
  return kFades ? hn::GetLane(hn::SumOfLanes(d, de)) : T{0};
}

/// softmax_backward_row of all rows of the tile. dspan[j]: the tile's part of de_j (B11).
template <bool kFades, bool kDropout, class T>
void softmax_backward_tile(const AttentionArrays<T>& x, Head head, const MaskFormula<T>& mask,
                           const RowTile& tile, const TileMask<T>& view, QueryTile queries,
                           const BackwardScratch<T>& s, T* dspan) {
  HWY_ALIGN T m[kTile], slopes[kTile];
  for (int64_t j = 0; j < tile.count; ++j) {
    prefetch_next(x, head, tile, j, 0, 1);
    if (kFades && view.fades[j]) {
      mask_values(mask, view, j, queries, m);
      mask_slopes(mask, view, j, queries, slopes);
      dspan[j] = mask.inverse_ramp * softmax_backward_row<true, kDropout>(x, m, slopes, j, queries, s);
    } else {
      dspan[j] = softmax_backward_row<false, kDropout>(x, m, slopes, j, queries, s);
    }
  }
}

/// B1: delta = Σ_d grad·out of the tile's queries, zeros beyond them.
template <class T>
void compute_delta(const AttentionArrays<T>& x, QueryTile queries, const T* grad, const T* out, T* delta) {
  std::fill(delta, delta + kTile, T{0});
  for (int64_t i = 0; i < queries.count; ++i) {
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t k = 0; k < x.head_size; ++k) sum += grad[i * x.hidden() + k] * out[i * x.hidden() + k];
    delta[i] = sum;
  }
}

/// q, grad, their transposes, lse and delta of the tile's queries.
template <class T>
void load_saved(const BackwardArrays<T>& x, Head at, QueryTile queries, const BackwardScratch<T>& s) {
  const int64_t offset = query_offset(x, at, queries);
  load_queries(x, queries, x.q + offset, score_scale(x), s.q, s.q_t);
  load_queries(x, queries, x.grad + offset, x.kept_factor, s.grad, s.grad_t);  // g·dO
  const T* lse = x.lse + lse_offset(x, at, queries);
  std::fill(std::copy_n(lse, queries.count, s.lse), s.lse + kTile, T{0});
  compute_delta(x, queries, x.grad + offset, x.out + offset, s.delta);
}

/// Adjoint of position_scores: adds to dpos (B10) and dq_t (B9).
template <class T>
void position_backward(const AttentionArrays<T>& x, QueryTile queries, const BackwardScratch<T>& s, T* dpos) {
  if (x.positions == 0) return;
  const int64_t padded = padded_head(x.head_size);
  std::fill(s.by_distance, s.by_distance + x.positions * kTile, T{0});
  for_each_distance(
      x, queries, [&](int64_t age, int64_t distance) HWY_ATTR { s.by_distance[distance] += s.dby_age[age]; });
  product<Into::add, T>(x.positions, x.head_size, queries.count, {s.by_distance, kTile, 1}, {s.q, padded},
                        {dpos, padded});
  product<Into::add, T>(x.head_size, queries.count, x.positions, {x.pos, 1, x.head_size},
                        {s.by_distance, kTile}, {s.dq_t, kTile});
}

/// Sums the gradients of the rows of one head: the first tile of queries writes them all, the later ones add.
template <class T>
class DkvAccumulator {
 public:
  DkvAccumulator(const BackwardArrays<T>& x, Head at, bool first) : x_(x), at_(at), first_(first) {
    if (x.sizes.mask == MaskKind::expiring) dspan_ = x.dspan + at.head * x.rows;
  }

  /// The gradients of the tile's keys: factors_tᵀ·queries, factors_t [tile.count, kTile].
  void add_keys(const RowTile& tile, QueryTile queries, const T* factors_t, const T* rows, T* buffer) const {
    add(tile, queries, factors_t, rows, 0, buffer);
  }
  /// Those of its values.
  void add_values(const RowTile& tile, QueryTile queries, const T* factors_t, const T* rows,
                  T* buffer) const {
    add(tile, queries, factors_t, rows, x_.hidden(), buffer);
  }
  /// Those of its spans.
  void add_spans(const RowTile& tile, const T* dspan) const {
    if (!dspan_) return;
    for (int64_t j = 0; j < tile.count; ++j) {
      T& sum = dspan_[tile.row[j]];
      sum = first_ ? dspan[j] : sum + dspan[j];
    }
  }
  /// Of a row that no query of the tile sees.
  void skip(int64_t row) const {
    if (!first_) return;
    T* key = x_.dkv + key_offset(x_, at_, row);
    std::fill(key, key + x_.head_size, T{0});
    std::fill(key + x_.hidden(), key + x_.hidden() + x_.head_size, T{0});
    if (dspan_) dspan_[row] = 0;
  }

 private:
  void add(const RowTile& tile, QueryTile queries, const T* factors_t, const T* rows, int64_t column,
           T* buffer) const {
    const int64_t size = x_.head_size, padded = padded_head(size);
    const StridedMatrix<T> factors{factors_t, kTile, 1};
    const Rows<const T> b{rows, padded};
    const GatheredRows<T> to{x_.dkv + at_.head * size + column, 2 * x_.hidden(), tile.row};
    if (size % static_cast<int64_t>(hn::Lanes(hn::ScalableTag<T>())) == 0) {
      first_ ? product<Into::overwrite, T>(tile.count, size, queries.count, factors, b, to)
             : product<Into::add, T>(tile.count, size, queries.count, factors, b, to);
      return;
    }
    // Whole vectors would write into the columns of the next head.
    product<Into::overwrite, T>(tile.count, size, queries.count, factors, b, Rows<T>{buffer, padded});
    for (int64_t j = 0; j < tile.count; ++j)
      first_ ? copy_row(buffer + j * padded, size, to.row(j)) : add_row(buffer + j * padded, size, to.row(j));
  }

  const BackwardArrays<T>& x_;
  Head at_;
  bool first_;  ///< tile of queries
  T* dspan_ = nullptr;
};

/// Adds the gradients of the tile's keys, values and spans to dkv, and those of the queries to s.dq_t and s.dby_age.
/// Returns the gradient of the tile's spans, summed.
template <class T>
T backward_tile(const BackwardArrays<T>& x, Head at, const MaskFormula<T>& mask, const RowTile& tile,
                QueryTile queries, const DkvAccumulator<T>& dkv, const BackwardScratch<T>& s) {
  const int64_t size = x.head_size;
  T dspan[kTile];
  tile_scores(x, at, tile, queries, s.q_t, s.by_age, s.dscores_t);  // F2
  product<Into::overwrite, T>(tile.count, queries.count, size, values_of<GatheredRows>(x, at, tile),
                              {s.grad_t, kTile}, {s.weights_t, kTile});  // g·(dO·v)
  const TileMask<T> view(x, at, mask, tile, queries);
  hide_scores(tile, view, queries, s.dscores_t);
  if (x.kept) load_kept(x, at, tile, queries, s.kept);
  with_flags(view.any_fades, x.kept, [&]<bool kFades, bool kDropout>() HWY_ATTR {
    softmax_backward_tile<kFades, kDropout>(x, at, mask, tile, view, queries, s, dspan);  // B2 to B6, B11
  });

  dkv.add_spans(tile, dspan);
  // out was Σ_j (g·P)·v, so dv = (g·P)ᵀ·dO (B7).
  dkv.add_values(tile, queries, s.weights_t, s.grad, s.drows);
  // s was q·k/√D (q is scaled), so dk = dSᵀ·q (B8) and dq = dS·k (B9).
  dkv.add_keys(tile, queries, s.dscores_t, s.q, s.drows);
  product<Into::add, T>(size, queries.count, tile.count, keys_of<GatheredColumns>(x, at, tile),
                        {s.dscores_t, kTile}, {s.dq_t, kTile});
  for (int64_t j = 0; j < tile.count; ++j)
    if (T* row = row_of_age(x, s.dby_age, queries, x.age[tile.row[j]])) {
      add_row(s.dscores_t + j * kTile, queries.whole_steps(), row);
    }
  return std::accumulate(dspan, dspan + tile.count, T{0});
}

template <class T>
void backward(const BackwardArrays<T>& x, Head at, T* dpos, T* scratch) {
  const MaskFormula<T> mask = mask_formula(x.sizes, x.span);
  const BackwardScratch<T> s{{x, scratch}};
  T head_dspan = 0;
  for (int64_t first = 0; first < x.sizes.block; first += kTile) {
    const QueryTile queries{.first = first, .count = std::min(kTile, x.sizes.block - first)};
    const DkvAccumulator<T> dkv(x, at, first == 0);
    load_saved(x, at, queries, s);
    position_scores(x, queries, s.q_t, s.by_distance, s.by_age);
    std::fill(s.dq_t, s.dq_t + s.arena.padded * kTile, T{0});
    std::fill(s.dby_age, s.dby_age + s.arena.ages * kTile, T{0});

    const auto process_tile = [&](const RowTile& tile) HWY_ATTR {
      head_dspan += backward_tile(x, at, mask, tile, queries.from(tile.unseen), dkv, s.from(tile.unseen));
    };
    for_each_tile(x, at, mask, queries, process_tile, [&](int64_t row) HWY_ATTR { dkv.skip(row); });

    position_backward(x, queries, s, dpos);
    store_queries(x, queries, s.dq_t, score_scale(x), s.q, x.dq + query_offset(x, at, queries));
  }
  if (x.sizes.mask == MaskKind::adaptive) x.dspan[at.stream * x.sizes.heads + at.head] = head_dspan;
}

}  // namespace

void backward_f32(const BackwardArrays<float>& x, Head at, float* dpos, float* s) {
  backward(x, at, dpos, s);
}
void backward_f64(const BackwardArrays<double>& x, Head at, double* dpos, double* s) {
  backward(x, at, dpos, s);
}

}  // namespace fade::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fade {

HWY_EXPORT(backward_f32);
HWY_EXPORT(backward_f64);

template <>
void backward_head(const BackwardArrays<float>& x, Head head, float* dpos, float* scratch) {
  HWY_DYNAMIC_DISPATCH(backward_f32)(x, head, dpos, scratch);
}
template <>
void backward_head(const BackwardArrays<double>& x, Head head, double* dpos, double* scratch) {
  HWY_DYNAMIC_DISPATCH(backward_f64)(x, head, dpos, scratch);
}

}  // namespace fade
#endif
