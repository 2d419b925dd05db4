// Forward of single queries, as of the position that is read at a time when a text is generated or compressed. Tiles
// hold one query per lane (forward.cpp): with a single one, most lanes would be empty. Here lanes are features.
#include "ops/span_attention/cpu/arrays.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/span_attention/cpu/one_query.cpp"
#include <hwy/foreach_target.h>
// After foreach_target: included once per instruction set.
#include <hwy/highway.h>

#include "ops/matmul/dots-inl.h"
#include "ops/span_attention/cpu/exp-inl.h"
#include "ops/span_attention/cpu/layout-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {
namespace {

/// Lists the rows that the query sees with the head, their position rows (−1: none) and m.
template <class T>
int64_t list_rows(const AttentionArrays<T>& x, Head at, const MaskFormula<T>& mask,
                  const QueryScratch<T>& s) {
  int64_t count = 0;
  for (const RowRange rows : context_of(x, at.stream))
    for (int64_t j = rows.begin; j < rows.end; ++j) {
      const int32_t distance = x.age[j];
      const T span = mask.span_of(j, at.head), d = static_cast<T>(distance);
      if (!mask.visible(mask.distances(distance), span, d)) continue;
      const int64_t position = x.sizes.position_row(distance);
      s.row[count] = static_cast<int32_t>(j);
      s.position[count] = position < x.positions ? static_cast<int32_t>(position) : -1;
      s.mask[count++] = mask.value(span, d);
    }
  return count;
}

/// F2 of the listed rows: q·(k + pos)/√D. Writes whole kDots.
template <class T>
void scores_of(const AttentionArrays<T>& x, Head at, const T* q, int64_t count, const QueryScratch<T>& s) {
  for (int64_t j = 0; j < count; j += kDots) {
    const T *key[kDots], *pos[kDots];
    for (int64_t r = 0; r < kDots; ++r) {
      const int64_t row = std::min(j + r, count - 1);
      key[r] = x.kv + key_offset(x, at, s.row[row]);
      pos[r] = s.position[row] < 0 ? s.zeros : x.pos + s.position[row] * x.head_size;
    }
    const auto load = [&](auto d, int r, int64_t k)
                          HWY_ATTR { return hn::Add(hn::LoadU(d, key[r] + k), hn::LoadU(d, pos[r] + k)); };
    T* const score = s.score + j;
    dots<1>(q, x.head_size, load, score);
    for (int r = 0; r < kDots; ++r) score[r] *= score_scale(x);
  }
}

/// F3 to F6 of the listed rows: turns their scores into m·u. Returns the factor that makes weights of them, 0 for an
/// empty domain, and writes the lse.
template <class T>
T softmax_of(const AttentionArrays<T>& x, int64_t count, const QueryScratch<T>& s, T* lse) {
  T largest = T{-1e30f};  // h
  for (int64_t j = 0; j < count; ++j) largest = std::max(largest, s.score[j]);
  const hn::ScalableTag<T> d;
  const int64_t lanes = hn::Lanes(d), padded = (count + lanes - 1) / lanes * lanes;
  std::fill(s.score + count, s.score + padded, -std::numeric_limits<T>::infinity());
  std::fill(s.mask + count, s.mask + padded, T{0});
  auto sum_exp = hn::Zero(d), masked_sum_exp = hn::Zero(d);
  for (int64_t j = 0; j < padded; j += lanes) {
    const auto u = softmax_exp(d, hn::Sub(hn::Load(d, s.score + j), hn::Set(d, largest)));  // F3
    const auto mu = hn::Mul(hn::Load(d, s.mask + j), u);
    sum_exp = hn::Add(sum_exp, u);  // F4
    masked_sum_exp = hn::Add(masked_sum_exp, mu);
    hn::Store(mu, d, s.score + j);
  }
  const T denominator =
      hn::GetLane(hn::SumOfLanes(d, masked_sum_exp)) + epsilon(x) * hn::GetLane(hn::SumOfLanes(d, sum_exp));
  *lse = denominator > 0 ? largest + std::log(denominator) : 0;
  return denominator > 0 ? 1 / denominator : 0;  // F6
}

/// F7: out = factor·Σ m·u·v over the listed rows.
template <class T>
void weighted_sum(const AttentionArrays<T>& x, Head at, int64_t count, T factor, const QueryScratch<T>& s,
                  T* out) {
  for_each_vector<T>(x.head_size, [&](auto d, int64_t k) HWY_ATTR {
    auto sum = hn::Zero(d);
    const T* const values = x.kv + x.hidden() + k;
    for (int64_t j = 0; j < count; ++j)
      sum = hn::MulAdd(hn::Set(d, s.score[j]), hn::LoadU(d, values + key_offset(x, at, s.row[j])), sum);
    hn::StoreU(hn::Mul(sum, hn::Set(d, factor)), d, out + k);
  });
}

template <class T>
void forward(const ForwardArrays<T>& x, int64_t stream, T* scratch) {
  const QueryScratch<T> s(x, scratch);
  const MaskFormula<T> mask = mask_formula(x.sizes, x.span);
  std::fill(s.zeros, s.zeros + x.head_size, T{0});
  int64_t count = 0;
  for (int64_t head = 0; head < x.sizes.heads; ++head) {
    const Head at{stream, head};
    const QueryTile of_query{0, 1};
    const int64_t offset = query_offset(x, at, of_query);
    if (head == 0 || mask.head_stride > 0) count = list_rows(x, at, mask, s);
    scores_of(x, at, x.q + offset, count, s);
    const T factor = softmax_of(x, count, s, x.lse + lse_offset(x, at, of_query));
    weighted_sum(x, at, count, factor, s, x.out + offset);
  }
}

}  // namespace

void query_f32(const ForwardArrays<float>& x, int64_t b, float* s) { forward(x, b, s); }
void query_f64(const ForwardArrays<double>& x, int64_t b, double* s) { forward(x, b, s); }

}  // namespace fade::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fade {

HWY_EXPORT(query_f32);
HWY_EXPORT(query_f64);

template <>
void forward_query(const ForwardArrays<float>& x, int64_t stream, float* scratch) {
  HWY_DYNAMIC_DISPATCH(query_f32)(x, stream, scratch);
}
template <>
void forward_query(const ForwardArrays<double>& x, int64_t stream, double* scratch) {
  HWY_DYNAMIC_DISPATCH(query_f64)(x, stream, scratch);
}

}  // namespace fade
#endif
