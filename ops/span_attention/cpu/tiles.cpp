// One head's attention over tiles of at most 64 queries × 64 context rows that they see, in SIMD.
//
// A tile is stored context row by context row, with a query in each lane (scores_t[j][i]). So K and V are
// read as they are, maximum and sums over the rows need no step across lanes, and a row's position scores are
// consecutive in `by_age`, in whatever order the rows come.
#include "ops/span_attention/cpu/arrays.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/span_attention/cpu/tiles.cpp"
#include <hwy/foreach_target.h>
// After foreach_target: included once an instruction set.
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "ops/masked_renorm/masked_renorm.h"
#include "ops/matmul/product-inl.h"
#include "ops/span_attention/cpu/layout-inl.h"
#include "ops/span_attention/cpu/mask-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {
namespace {

/// What keeps the denominator of a soft mask from 0.
template <class T>
T epsilon(const AttentionArrays<T>& x) {
  return x.sizes.mask == SpanMask::Kind::window ? T{0} : static_cast<T>(kRenormEps);
}

/// The running softmax: scores in weights_t become m·exp(s − highest), times the dropout factor; `highest`
/// rises to the tile's maximum and what was summed before is scaled to it.
template <bool kFull, bool kDropout, class T>
void soften(const AttentionArrays<T>& x, Head head, const MaskFormula<T>& mask, const RowTile<T>& tile,
            Queries queries, const ForwardScratch<T>& s) {
  const hn::ScalableTag<T> d;
  if constexpr (!kFull)
    for (int64_t j = 0; j < tile.count; ++j) {
      hide_scores(mask, tile, j, queries.first, s.weights_t + j * kTile);
      mask_values(mask, tile, j, queries.first, s.mask_t + j * kTile);
    }
  for (int64_t at = 0; at < queries.count; at += hn::Lanes(d)) {
    const auto before = hn::Load(d, s.highest + at);
    auto highest = before;
    for (int64_t j = 0; j < tile.count; ++j) {
      highest = hn::Max(highest, hn::Load(d, s.weights_t + j * kTile + at));
    }
    const auto rescale = hn::Exp(d, hn::Sub(before, highest));
    auto faded_sum = hn::Mul(hn::Load(d, s.faded_sum + at), rescale);
    auto sum = hn::Mul(hn::Load(d, s.sum + at), rescale);
    for (int64_t k = 0; k < x.head_size; ++k) {
      T* out = s.out_t + k * kTile + at;
      hn::Store(hn::Mul(hn::Load(d, out), rescale), d, out);
    }
    const bool prefetch = at == 0 && tile.next >= 0;
    for (int64_t j = 0; j < tile.count; ++j) {
      if (prefetch && tile.next + j < x.rows) prefetch_row(x, head, tile.next + j);
      T* weight = s.weights_t + j * kTile + at;
      const auto u = hn::Exp(d, hn::Sub(hn::Load(d, weight), highest));
      auto faded = u;
      if constexpr (!kFull) faded = hn::Mul(hn::Load(d, s.mask_t + j * kTile + at), u);
      sum = hn::Add(sum, u);
      faded_sum = hn::Add(faded_sum, faded);
      if constexpr (kDropout) faded = hn::Mul(faded, hn::Load(d, s.dropout_t + j * kTile + at));
      hn::Store(faded, d, weight);
    }
    hn::Store(highest, d, s.highest + at);
    hn::Store(faded_sum, d, s.faded_sum + at);
    hn::Store(sum, d, s.sum + at);
  }
}

/// out_t /= denominator, and each query's log_sum. A query that has seen nothing gives zeros.
template <class T>
void normalise(const AttentionArrays<T>& x, Queries queries, const ForwardScratch<T>& s, T* log_sum) {
  T factor[kTile];
  for (int64_t i = 0; i < kTile; ++i) {
    const T denominator = s.faded_sum[i] + epsilon(x) * s.sum[i];
    factor[i] = denominator > 0 ? 1 / denominator : 0;
    if (i < queries.count) log_sum[i] = denominator > 0 ? s.highest[i] + std::log(denominator) : 0;
  }
  for (int64_t k = 0; k < x.head_size; ++k)
    for (int64_t i = 0; i < kTile; ++i) s.out_t[k * kTile + i] *= factor[i];
}

template <class T>
void forward(const ForwardArrays<T>& x, Head at, int64_t first_query, T* scratch) {
  const Queries queries{first_query, std::min<int64_t>(kTile, x.sizes.block - first_query)};
  const MaskFormula<T> mask = mask_formula(x.sizes, x.span);
  Arena<T> arena(scratch);
  const ForwardScratch<T> s(arena, x.head_size, x.positions, x.reach());
  const int64_t offset = query_offset(x, at, queries);

  load_queries(x, queries, x.q + offset, score_scale(x), s.q, s.q_t);
  position_scores(x, queries, s.q_t, s.by_distance, s.by_age);
  std::fill(s.out_t, s.out_t + padded_head(x.head_size) * kTile, T{0});
  std::fill(s.highest, s.highest + kTile, T{-1e30f});
  std::fill(s.faded_sum, s.faded_sum + kTile, T{0});
  std::fill(s.sum, s.sum + kTile, T{0});

  const auto take = [&](const RowTile<T>& tile) {
    load_rows(x, at, tile, s.keys, s.values);
    tile_scores(x, tile, queries, s.q_t, s.keys, s.by_age, s.weights_t);
    const bool dropout = x.sizes.dropout > 0;
    if (dropout) draw_dropout(x.sizes, at, tile, queries.first, s.dropout_t);
    if (tile.full)
      dropout ? soften<true, true>(x, at, mask, tile, queries, s)
              : soften<true, false>(x, at, mask, tile, queries, s);
    else
      dropout ? soften<false, true>(x, at, mask, tile, queries, s)
              : soften<false, false>(x, at, mask, tile, queries, s);
    product<Into::add, T>(x.head_size, queries.count, tile.count, {s.values, 1, x.head_size},
                          {s.weights_t, kTile}, {s.out_t, kTile});
  };
  for_each_tile(x, at, mask, queries, take, [](int64_t) {});

  normalise(x, queries, s, x.log_sum + (at.stream * x.sizes.heads + at.head) * x.sizes.block + queries.first);
  store_queries(x, queries, s.out_t, T{1}, s.q, x.out + offset);
}

/// From scores (in dscores_t) and grad·V (in weights_t) to the gradient of the scores and the weights, and
/// dspan[j] of each row.
template <bool kFull, bool kDropout, class T>
void soften_backward(const AttentionArrays<T>& x, Head head, const MaskFormula<T>& mask,
                     const RowTile<T>& tile, Queries queries, const BackwardScratch<T>& s, T* dspan) {
  const hn::ScalableTag<T> d;
  const auto eps = hn::Set(d, epsilon(x));
  for (int64_t j = 0; j < tile.count; ++j) {
    if (tile.next >= 0 && tile.next + j < x.rows) prefetch_row(x, head, tile.next + j);
    auto on_ramp_sum = hn::Zero(d);
    HWY_ALIGN T masks[kTile], slopes[kTile];
    if constexpr (!kFull) {
      hide_scores(mask, tile, j, queries.first, s.dscores_t + j * kTile);
      mask_values(mask, tile, j, queries.first, masks);
      mask_slopes(mask, tile, j, queries.first, slopes);
    }
    for (int64_t at = 0; at < queries.count; at += hn::Lanes(d)) {
      T *dscore = s.dscores_t + j * kTile + at, *weight = s.weights_t + j * kTile + at;
      const auto delta = hn::Load(d, s.delta + at);
      const auto u = hn::Exp(d, hn::Sub(hn::Load(d, dscore), hn::Load(d, s.log_sum + at)));
      const auto dweight = hn::Load(d, weight);
      auto m = hn::Set(d, T{1});
      if constexpr (!kFull) m = hn::Load(d, masks + at);
      const auto p = kFull ? u : hn::Mul(m, u);
      auto dp_minus_delta = hn::Sub(dweight, delta);
      if constexpr (kDropout) {
        const auto kept = hn::Load(d, s.dropout_t + j * kTile + at);
        dp_minus_delta = hn::MulSub(kept, dweight, delta);
        hn::Store(hn::Mul(kept, p), d, weight);
      } else {
        hn::Store(p, d, weight);
      }
      const auto dm = hn::Mul(u, dp_minus_delta);
      if constexpr (!kFull) {
        const auto slope = hn::Load(d, slopes + at);
        on_ramp_sum =
            hn::IfThenElse(hn::Ne(slope, hn::Zero(d)), hn::MulAdd(slope, dm, on_ramp_sum), on_ramp_sum);
      }
      hn::Store(hn::NegMulAdd(hn::Mul(eps, u), delta, kFull ? dm : hn::Mul(m, dm)), d, dscore);
    }
    dspan[j] = kFull ? T{0} : mask.inverse_ramp * hn::GetLane(hn::SumOfLanes(d, on_ramp_sum));
  }
}

/// q, grad, their transposes, log_sum and Δ of the tile's queries.
template <class T>
void load_saved(const BackwardArrays<T>& x, Head at, Queries queries, const BackwardScratch<T>& s) {
  const int64_t offset = query_offset(x, at, queries);
  const T *grad = x.grad + offset, *out = x.out + offset;
  load_queries(x, queries, x.q + offset, score_scale(x), s.q, s.q_t);
  load_queries(x, queries, grad, T{1}, s.grad, s.grad_t);
  const T* log_sum = x.log_sum + (at.stream * x.sizes.heads + at.head) * x.sizes.block + queries.first;
  std::fill(std::copy_n(log_sum, queries.count, s.log_sum), s.log_sum + kTile, T{0});
  std::fill(s.delta, s.delta + kTile, T{0});
  for (int64_t i = 0; i < queries.count; ++i) {
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t k = 0; k < x.head_size; ++k) sum += grad[i * x.hidden() + k] * out[i * x.hidden() + k];
    s.delta[i] = sum;
  }
}

/// The tile's gradient with respect to its keys, values and spans, in s.dkeys, s.dvalues and dspan; adds to
/// s.dq_t and s.dby_age.
template <class T>
void tile_backward(const BackwardArrays<T>& x, Head at, const MaskFormula<T>& mask, const RowTile<T>& tile,
                   Queries queries, const BackwardScratch<T>& s, T* dspan) {
  const int64_t size = x.head_size, padded = padded_head(size);
  load_rows(x, at, tile, s.keys, s.values);
  tile_scores(x, tile, queries, s.q_t, s.keys, s.by_age, s.dscores_t);
  product<Into::overwrite, T>(tile.count, queries.count, size, {s.values, size, 1}, {s.grad_t, kTile},
                              {s.weights_t, kTile});
  const bool dropout = x.sizes.dropout > 0;
  if (dropout) draw_dropout(x.sizes, at, tile, queries.first, s.dropout_t);
  if (tile.full)
    dropout ? soften_backward<true, true>(x, at, mask, tile, queries, s, dspan)
            : soften_backward<true, false>(x, at, mask, tile, queries, s, dspan);
  else
    dropout ? soften_backward<false, true>(x, at, mask, tile, queries, s, dspan)
            : soften_backward<false, false>(x, at, mask, tile, queries, s, dspan);

  product<Into::overwrite, T>(tile.count, size, queries.count, {s.weights_t, kTile, 1}, {s.grad, padded},
                              {s.dvalues, padded});
  product<Into::overwrite, T>(tile.count, size, queries.count, {s.dscores_t, kTile, 1}, {s.q, padded},
                              {s.dkeys, padded});
  product<Into::add, T>(size, queries.count, tile.count, {s.keys, 1, size}, {s.dscores_t, kTile},
                        {s.dq_t, kTile});
  for (int64_t j = 0; j < tile.count; ++j)
    if (T* row = row_of_age(s.dby_age, x.reach(), queries, tile.age[j]))
      for (int64_t i = 0; i < kTile; ++i) row[i] += s.dscores_t[j * kTile + i];
}

/// Adjoint of position_scores: adds to dpos and dq_t.
template <class T>
void position_backward(const AttentionArrays<T>& x, Queries queries, const BackwardScratch<T>& s, T* dpos) {
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

/// Where backward leaves what it finds about the rows of one head: the first tile of queries writes them all,
/// the later ones add.
template <class T>
class RowGradients {
 public:
  RowGradients(const BackwardArrays<T>& x, Head at) : x_(x), at_(at) {
    if (x.sizes.mask == SpanMask::Kind::expiring) dspan_ = x.dspan + at.head * x.rows;
  }

  /// Gradients of the tile's rows: s.dkeys, s.dvalues, and dspan.
  void take(const RowTile<T>& tile, bool first, const BackwardScratch<T>& s, const T* dspan) const {
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
    if (first)
      std::copy_n(from, x_.head_size, to);
    else
      for (int64_t k = 0; k < x_.head_size; ++k) to[k] += from[k];
  }

  const BackwardArrays<T>& x_;
  Head at_;
  T* dspan_ = nullptr;
};

template <class T>
void backward(const BackwardArrays<T>& x, Head at, T* dpos, T* scratch) {
  const MaskFormula<T> mask = mask_formula(x.sizes, x.span);
  Arena<T> arena(scratch);
  const BackwardScratch<T> s(arena, x.head_size, x.positions, x.reach());
  const RowGradients<T> rows(x, at);
  T head_dspan = 0;
  for (int64_t first = 0; first < x.sizes.block; first += kTile) {
    const Queries queries{first, std::min(kTile, x.sizes.block - first)};
    load_saved(x, at, queries, s);
    position_scores(x, queries, s.q_t, s.by_distance, s.by_age);
    std::fill(s.dq_t, s.dq_t + padded_head(x.head_size) * kTile, T{0});
    std::fill(s.dby_age, s.dby_age + ages_in_reach(x.reach()) * kTile, T{0});

    const auto take = [&](const RowTile<T>& tile) {
      T dspan[kTile];
      tile_backward(x, at, mask, tile, queries, s, dspan);
      rows.take(tile, first == 0, s, dspan);
      for (int64_t j = 0; j < tile.count; ++j) head_dspan += dspan[j];
    };
    for_each_tile(x, at, mask, queries, take, [&](int64_t row) {
      if (first == 0) rows.clear(row);
    });

    position_backward(x, queries, s, dpos);
    store_queries(x, queries, s.dq_t, score_scale(x), s.q, x.dq + query_offset(x, at, queries));
  }
  if (x.sizes.mask == SpanMask::Kind::adaptive) x.dspan[at.stream * x.sizes.heads + at.head] = head_dspan;
}

}  // namespace

void forward_f32(const ForwardArrays<float>& x, Head at, int64_t q, float* s) { forward(x, at, q, s); }
void forward_f64(const ForwardArrays<double>& x, Head at, int64_t q, double* s) { forward(x, at, q, s); }
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

HWY_EXPORT(forward_f32);
HWY_EXPORT(forward_f64);
HWY_EXPORT(backward_f32);
HWY_EXPORT(backward_f64);

template <>
void attend_forward(const ForwardArrays<float>& x, Head head, int64_t first_query, float* scratch) {
  HWY_DYNAMIC_DISPATCH(forward_f32)(x, head, first_query, scratch);
}
template <>
void attend_forward(const ForwardArrays<double>& x, Head head, int64_t first_query, double* scratch) {
  HWY_DYNAMIC_DISPATCH(forward_f64)(x, head, first_query, scratch);
}
template <>
void attend_backward(const BackwardArrays<float>& x, Head head, float* dpos, float* scratch) {
  HWY_DYNAMIC_DISPATCH(backward_f32)(x, head, dpos, scratch);
}
template <>
void attend_backward(const BackwardArrays<double>& x, Head head, double* dpos, double* scratch) {
  HWY_DYNAMIC_DISPATCH(backward_f64)(x, head, dpos, scratch);
}

}  // namespace fade
#endif
