// Backward of one head, tile by tile as in forward: each tile is computed
// again from q, K and lse, and B1 to B11 follow.
#include "ops/span_attention/cpu/arrays.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/span_attention/cpu/backward.cpp"
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

/// Forward was w = P = m·U with U = e^(s − lse), then out = Σ g·P·v. So, element by element:
///   dscores_t: s → dS;    weights_t: dO·v → g·P (for dv);    dspan[j]: the tile's part of de_j.
template <bool kFull, bool kDropout, class T>
void softmax_backward_tile(const AttentionArrays<T>& x, Head head, const MaskFormula<T>& mask,
                           const RowTile<T>& tile, QueryTile queries, const BackwardScratch<T>& s, T* dspan) {
  const hn::ScalableTag<T> d;
  const auto eps = hn::Set(d, epsilon(x));
  HWY_ALIGN T masks[kTile], slopes[kTile];
  for (int64_t j = 0; j < tile.count; ++j) {
    prefetch_next(x, head, tile, j);
    if constexpr (!kFull) {
      hide_scores(mask, tile, j, queries.first, s.dscores_t + j * kTile);
      mask_values(mask, tile, j, queries.first, masks);
      mask_slopes(mask, tile, j, queries.first, slopes);
    }
    auto de = hn::Zero(d);
    for (int64_t at = 0; at < queries.count; at += hn::Lanes(d)) {
      T *dscore = s.dscores_t + j * kTile + at, *weight = s.weights_t + j * kTile + at;
      const auto delta = hn::Load(d, s.delta + at), dweight = hn::Load(d, weight);
      const auto u =
          hn::Exp(d, hn::Sub(hn::Load(d, dscore), hn::Load(d, s.lse + at)));  // B2: U, 0 where s is −∞
      auto m = hn::Set(d, T{1});
      if constexpr (!kFull) m = hn::Load(d, masks + at);
      const auto p = kFull ? u : hn::Mul(m, u);       // B3: P
      auto dp_minus_delta = hn::Sub(dweight, delta);  // B4: dP = g·(dO·v)
      if constexpr (kDropout) {
        const auto g = where_kept(d, s.kept[j], at, hn::Set(d, x.kept_factor));
        dp_minus_delta = hn::MulSub(g, dweight, delta);
        hn::Store(hn::Mul(g, p), d, weight);
      } else {
        hn::Store(p, d, weight);
      }
      const auto dm = hn::Mul(u, dp_minus_delta);  // B5: dM = U·(dP − Δ)
      if constexpr (!kFull) {                      // B11, times R
        const auto slope = hn::Load(d, slopes + at);
        de = hn::IfThenElse(hn::Ne(slope, hn::Zero(d)), hn::MulAdd(slope, dm, de), de);
      }
      // B6: dS = m·dM − ε·U·Δ
      hn::Store(hn::NegMulAdd(hn::Mul(eps, u), delta, kFull ? dm : hn::Mul(m, dm)), d, dscore);
    }
    dspan[j] = kFull ? T{0} : mask.inverse_ramp * hn::GetLane(hn::SumOfLanes(d, de));
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
  load_queries(x, queries, x.grad + offset, T{1}, s.grad, s.grad_t);
  const T* lse = x.lse + lse_offset(x, at, queries);
  std::fill(std::copy_n(lse, queries.count, s.lse), s.lse + kTile, T{0});
  compute_delta(x, queries, x.grad + offset, x.out + offset, s.delta);
}

/// The gradients of the tile's keys, values and spans, in s.dkeys,
/// s.dvalues and dspan; adds to s.dq_t and s.dby_age.
template <class T>
void backward_tile(const BackwardArrays<T>& x, Head at, const MaskFormula<T>& mask, const RowTile<T>& tile,
                   QueryTile queries, const BackwardScratch<T>& s, T* dspan) {
  const int64_t size = x.head_size, padded = padded_head(size);
  load_rows(x, at, tile, s.keys, s.values);
  tile_scores(x, tile, queries, s.q_t, s.keys, s.by_age, s.dscores_t);  // F2
  product<Into::overwrite, T>(tile.count, queries.count, size, {s.values, size, 1}, {s.grad_t, kTile},
                              {s.weights_t, kTile});  // dO·v
  if (x.kept) load_kept(x, at, tile, queries.first, s.kept);
  with_flags(tile.full, x.kept, [&]<bool kFull, bool kDropout>() {
    softmax_backward_tile<kFull, kDropout>(x, at, mask, tile, queries, s, dspan);  // B2 to B6, B11
  });

  // out was Σ_j (g·P)·v, so dv = (g·P)ᵀ·dO (B7).
  product<Into::overwrite, T>(tile.count, size, queries.count, {s.weights_t, kTile, 1}, {s.grad, padded},
                              {s.dvalues, padded});
  // s was q·k/√D (q is scaled), so dk = dSᵀ·q (B8) and dq = dS·k (B9).
  product<Into::overwrite, T>(tile.count, size, queries.count, {s.dscores_t, kTile, 1}, {s.q, padded},
                              {s.dkeys, padded});
  product<Into::add, T>(size, queries.count, tile.count, {s.keys, 1, size}, {s.dscores_t, kTile},
                        {s.dq_t, kTile});
  for (int64_t j = 0; j < tile.count; ++j)
    if (T* row = row_of_age(x, s.dby_age, queries, tile.age[j])) {
      for (int64_t i = 0; i < kTile; ++i) row[i] += s.dscores_t[j * kTile + i];
    }
}

/// Adjoint of position_scores: adds to dpos (B10) and dq_t (B9).
template <class T>
void position_backward(const AttentionArrays<T>& x, QueryTile queries, const BackwardScratch<T>& s, T* dpos) {
  if (x.positions == 0) return;
  const int64_t padded = padded_head(x.head_size);
  std::fill(s.by_distance, s.by_distance + x.positions * kTile, T{0});
  for_each_distance(x, queries,
                    [&](int64_t age, int64_t distance) { s.by_distance[distance] += s.dby_age[age]; });
  product<Into::add, T>(x.positions, x.head_size, queries.count, {s.by_distance, kTile, 1}, {s.q, padded},
                        {dpos, padded});
  product<Into::add, T>(x.head_size, queries.count, x.positions, {x.pos, 1, x.head_size},
                        {s.by_distance, kTile}, {s.dq_t, kTile});
}

/// Sums the gradients of the rows of one head: the first tile of queries writes them all, the later ones add.
template <class T>
class DkvAccumulator {
 public:
  DkvAccumulator(const BackwardArrays<T>& x, Head at) : x_(x), at_(at) {
    if (x.sizes.mask == MaskKind::expiring) dspan_ = x.dspan + at.head * x.rows;
  }

  /// Gradients of the tile's rows: s.dkeys, s.dvalues, and dspan.
  void add(const RowTile<T>& tile, bool first, const BackwardScratch<T>& s, const T* dspan) const {
    const int64_t padded = padded_head(x_.head_size);
    for (int64_t j = 0; j < tile.count; ++j) {
      T* key = x_.dkv + key_offset(x_, at_, tile.row[j]);
      put(first, s.dkeys + j * padded, key);
      put(first, s.dvalues + j * padded, key + x_.hidden());
      if (!dspan_) continue;
      T& sum = dspan_[tile.row[j]];
      sum = first ? dspan[j] : sum + dspan[j];
    }
  }
  void clear(int64_t row) const {
    T* key = x_.dkv + key_offset(x_, at_, row);
    std::fill(key, key + x_.head_size, T{0});
    std::fill(key + x_.hidden(), key + x_.hidden() + x_.head_size, T{0});
    if (dspan_) dspan_[row] = 0;
  }

 private:
  void put(bool first, const T* HWY_RESTRICT from, T* HWY_RESTRICT to) const {
    if (first) {
      std::copy_n(from, x_.head_size, to);
    } else {
      for (int64_t k = 0; k < x_.head_size; ++k) to[k] += from[k];
    }
  }

  const BackwardArrays<T>& x_;
  Head at_;
  T* dspan_ = nullptr;
};

template <class T>
void backward(const BackwardArrays<T>& x, Head at, T* dpos, T* scratch) {
  const MaskFormula<T> mask = mask_formula(x.sizes, x.span);
  const BackwardScratch<T> s{{x, scratch}};
  const DkvAccumulator<T> dkv(x, at);
  T head_dspan = 0;
  for (int64_t first = 0; first < x.sizes.block; first += kTile) {
    const QueryTile queries{.first = first, .count = std::min(kTile, x.sizes.block - first)};
    load_saved(x, at, queries, s);
    position_scores(x, queries, s.q_t, s.by_distance, s.by_age);
    std::fill(s.dq_t, s.dq_t + s.arena.padded * kTile, T{0});
    std::fill(s.dby_age, s.dby_age + s.arena.ages * kTile, T{0});

    const auto process_tile = [&](const RowTile<T>& tile) {
      T dspan[kTile];
      backward_tile(x, at, mask, tile, queries, s, dspan);
      dkv.add(tile, first == 0, s, dspan);
      for (int64_t j = 0; j < tile.count; ++j) head_dspan += dspan[j];
    };
    for_each_tile(x, at, mask, queries, process_tile, [&](int64_t row) {
      if (first == 0) dkv.clear(row);
    });

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
