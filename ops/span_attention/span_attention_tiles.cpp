// One head's attention over tiles of at most 64 queries × 64 context rows, in SIMD.
//
// A tile is stored context row by context row, with a query in each lane (scores_t[j][i]). So K and V are
// read as they are, maximum and sums over the rows need no step across lanes, and a row's position scores are
// consecutive in `by_age`, in whatever order the rows come.
#include "ops/span_attention/span_attention_cpu.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/span_attention/span_attention_tiles.cpp"
// Three kinds of code on x86 (SSE, AVX2, AVX-512) and NEON on Arm: SVE's vectors have no size at compile
// time, which arrays of registers need.
#define HWY_DISABLED_TARGETS (HWY_AVX3_DL | HWY_SSSE3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
#include <hwy/foreach_target.h>
// After foreach_target: included once an instruction set.
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "ops/span_attention/tile_mask-inl.h"
#include "ops/span_attention/tile_product-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {
namespace {

template <class T>
using Lanes = hn::ScalableTag<T>;

/// A tile of queries of one head.
struct Queries {
  int64_t first, count;
  int64_t last() const { return first + count - 1; }
};

template <class T>
double score_scale(const AttentionArrays<T>& x) {
  return 1 / std::sqrt(static_cast<double>(x.head_size));
}

/// Where the tile's first query's features of head `at` are in q, out and their gradients.
template <class T>
int64_t query_offset(const AttentionArrays<T>& x, Head at, Queries queries) {
  return (at.stream * x.sizes.block + queries.first) * x.hidden() + at.head * x.head_size;
}

/// Where the row's key is in kv and dkv; its value is hidden() further.
template <class T>
int64_t key_offset(const AttentionArrays<T>& x, Head at, int64_t row) {
  return row * 2 * x.hidden() + at.head * x.head_size;
}

/// Calls f(RowTile) for each tile of the stream's rows that any of the queries sees.
template <class T, class F>
void for_each_tile(const AttentionArrays<T>& x, Head at, const HeadMask<T>& mask, Queries queries, F&& f) {
  const SpanAttentionSizes& s = x.sizes;
  const int64_t block = s.memory_rows + at.stream * s.block;
  const std::pair<int64_t, int64_t> parts[] = {{x.start[at.stream], x.start[at.stream + 1]},
                                               {block, block + s.block}};
  for (const auto& [begin, end] : parts)
    for (int64_t j = begin; j < end; j += kTile) {
      const RowTile<T> tile = meet(mask, x.age, j, std::min(j + kTile, end), static_cast<T>(queries.first),
                                   static_cast<T>(queries.last()));
      if (tile.count > 0) f(tile);
    }
}

/// to [size, kTile] = factor·fromᵀ, from [queries, size] with rows `stride` apart; zeros for queries that the
/// tile lacks.
template <class T>
void gather_columns(const T* from, int64_t stride, int64_t queries, int64_t size, T factor, T* to) {
  for (int64_t d = 0; d < size; ++d) {
    for (int64_t i = 0; i < queries; ++i) to[d * kTile + i] = factor * from[i * stride + d];
    std::fill(to + d * kTile + queries, to + (d + 1) * kTile, T{0});
  }
}

/// The same without transposing: to [kTile, padded_head].
template <class T>
void gather_rows(const T* from, int64_t stride, int64_t queries, int64_t size, T factor, T* to) {
  const int64_t padded = padded_head(size);
  std::fill(to, to + kTile * padded, T{0});
  for (int64_t i = 0; i < queries; ++i)
    for (int64_t d = 0; d < size; ++d) to[i * padded + d] = factor * from[i * stride + d];
}

/// The row of an array with a row an age that holds query i's score for the row's distance age + i in column
/// i, or nullptr if no query of the tile is 1..P away.
template <class T>
T* row_of_age(T* by_age, int64_t positions, Queries queries, T age) {
  const int64_t row = static_cast<int64_t>(age) + queries.first + kTile - 2;
  return row >= 0 && row < ages_in_reach(positions) ? by_age + row * kTile : nullptr;
}

/// Calls f(row of an array by age, i, row of an array by distance) wherever both have an element.
template <class F>
void for_each_distance(int64_t positions, Queries queries, F&& f) {
  for (int64_t row = 0; row < ages_in_reach(positions); ++row) {
    const int64_t shift = row - (kTile - 1);  // distance − 1 of query 0
    const int64_t begin = std::max<int64_t>(0, -shift), end = std::min(queries.count, positions - shift);
    for (int64_t i = begin; i < end; ++i) f(row, i, shift + i);
  }
}

/// by_age: q_i·pos[δ−1], zeros where δ is out of 1..P.
template <class T>
void position_scores(const AttentionArrays<T>& x, Queries queries, const T* q_t, T* by_distance, T* by_age) {
  if (x.positions == 0) return;
  product<Into::overwrite, T>(x.positions, queries.count, x.head_size, {x.pos, x.head_size, 1}, {q_t, kTile},
                              {by_distance, kTile});
  std::fill(by_age, by_age + ages_in_reach(x.positions) * kTile, T{0});
  for_each_distance(x.positions, queries, [&](int64_t row, int64_t i, int64_t distance) {
    by_age[row * kTile + i] = by_distance[distance * kTile + i];
  });
}

/// scores_t [tile.count, kTile] = K·qᵀ + position scores; q_t is scaled already.
template <class T>
void tile_scores(const AttentionArrays<T>& x, Head at, const RowTile<T>& tile, Queries queries, const T* q_t,
                 T* by_age, T* scores_t) {
  const Strided<T> keys{x.kv + key_offset(x, at, tile.first), 2 * x.hidden(), 1};
  bool near = false;
  for (int64_t j = 0; j < tile.count; ++j)
    near |= row_of_age(by_age, x.positions, queries, tile.age[j]) != nullptr;
  if (!near) {
    product<Into::overwrite, T>(tile.count, queries.count, x.head_size, keys, {q_t, kTile},
                                {scores_t, kTile});
    return;
  }
  for (int64_t j = 0; j < tile.count; ++j) {
    if (const T* row = row_of_age(by_age, x.positions, queries, tile.age[j]))
      std::copy(row, row + kTile, scores_t + j * kTile);
    else
      std::fill(scores_t + j * kTile, scores_t + (j + 1) * kTile, T{0});
  }
  product<Into::add, T>(tile.count, queries.count, x.head_size, keys, {q_t, kTile}, {scores_t, kTile});
}

/// The running softmax: scores in weights_t become m·exp(s − highest), times the dropout factor; `highest`
/// rises to the tile's maximum and what was summed before is scaled to it.
template <bool kFull, class T>
void soften(const AttentionArrays<T>& x, const HeadMask<T>& mask, const RowTile<T>& tile, Queries queries,
            const ForwardScratch<T>& s) {
  const Lanes<T> d;
  const auto lowest = hn::Set(d, T{-1e30f});
  for (int64_t at = 0; at < queries.count; at += hn::Lanes(d)) {
    const auto query = hn::Iota(d, static_cast<T>(queries.first + at));
    const auto before = hn::Load(d, s.highest + at);
    auto highest = before;
    for (int64_t j = 0; j < tile.count; ++j) {
      auto score = hn::Load(d, s.weights_t + j * kTile + at);
      if constexpr (!kFull)
        score = hn::IfThenElse(mask_row(d, mask, tile.age[j], tile.span[j], query).seen, score, lowest);
      highest = hn::Max(highest, score);
    }
    const auto rescale = hn::Exp(d, hn::Sub(before, highest));
    auto faded_sum = hn::Mul(hn::Load(d, s.faded_sum + at), rescale);
    auto sum = hn::Mul(hn::Load(d, s.sum + at), rescale);
    for (int64_t k = 0; k < x.head_size; ++k) {
      T* out = s.out_t + k * kTile + at;
      hn::Store(hn::Mul(hn::Load(d, out), rescale), d, out);
    }
    for (int64_t j = 0; j < tile.count; ++j) {
      T* weight = s.weights_t + j * kTile + at;
      auto u = hn::Exp(d, hn::Sub(hn::Load(d, weight), highest)), faded = u;
      if constexpr (!kFull) {
        const auto row = mask_row(d, mask, tile.age[j], tile.span[j], query);
        u = hn::IfThenElseZero(row.seen, u);
        faded = hn::Mul(row.m, u);
      }
      sum = hn::Add(sum, u);
      faded_sum = hn::Add(faded_sum, faded);
      if (x.sizes.dropout > 0) faded = hn::Mul(faded, hn::Load(d, s.dropout_t + j * kTile + at));
      hn::Store(faded, d, weight);
    }
    hn::Store(highest, d, s.highest + at);
    hn::Store(faded_sum, d, s.faded_sum + at);
    hn::Store(sum, d, s.sum + at);
  }
}

template <class T>
double epsilon(const AttentionArrays<T>& x) {
  return x.sizes.mask == SpanMask::Kind::window ? 0 : 1e-8;
}

template <class T>
void forward(const ForwardArrays<T>& x, Head at, int64_t first_query, T* scratch) {
  const Queries queries{first_query, std::min<int64_t>(kTile, x.sizes.block - first_query)};
  const HeadMask<T> mask(x, at);
  Arena<T> arena(scratch);
  const ForwardScratch<T> s(arena, x.head_size, x.positions);
  const int64_t offset = query_offset(x, at, queries), hidden = x.hidden();

  gather_columns(x.q + offset, hidden, queries.count, x.head_size, static_cast<T>(score_scale(x)), s.q_t);
  position_scores(x, queries, s.q_t, s.by_distance, s.by_age);
  std::fill(s.out_t, s.out_t + x.head_size * kTile, T{0});
  std::fill(s.highest, s.highest + kTile, T{-1e30f});
  std::fill(s.faded_sum, s.faded_sum + kTile, T{0});
  std::fill(s.sum, s.sum + kTile, T{0});

  for_each_tile(x, at, mask, queries, [&](const RowTile<T>& tile) {
    tile_scores(x, at, tile, queries, s.q_t, s.by_age, s.weights_t);
    if (x.sizes.dropout > 0) draw_dropout(x.sizes, at, tile, queries.first, s.dropout_t);
    if (tile.full)
      soften<true>(x, mask, tile, queries, s);
    else
      soften<false>(x, mask, tile, queries, s);
    const T* values = x.kv + key_offset(x, at, tile.first) + hidden;
    product<Into::add, T>(x.head_size, queries.count, tile.count, {values, 1, 2 * hidden},
                          {s.weights_t, kTile}, {s.out_t, kTile});
  });

  T* log_sum = x.log_sum + (at.stream * x.sizes.heads + at.head) * x.sizes.block + queries.first;
  for (int64_t i = 0; i < queries.count; ++i) {
    const T denominator = s.faded_sum[i] + static_cast<T>(epsilon(x)) * s.sum[i];
    const T factor = denominator > 0 ? 1 / denominator : 0;
    log_sum[i] = denominator > 0 ? s.highest[i] + std::log(denominator) : 0;
    for (int64_t k = 0; k < x.head_size; ++k)
      x.out[offset + i * hidden + k] = factor * s.out_t[k * kTile + i];
  }
}

/// From scores (in dscores_t) and grad·V (in weights_t) to the gradient of the scores and the weights, and
/// dspan[j] of each row.
template <bool kFull, class T>
void soften_backward(const AttentionArrays<T>& x, const HeadMask<T>& mask, const RowTile<T>& tile,
                     Queries queries, const BackwardScratch<T>& s, T* dspan) {
  const Lanes<T> d;
  const auto eps = hn::Set(d, static_cast<T>(epsilon(x)));
  for (int64_t j = 0; j < tile.count; ++j) {
    auto on_ramp_sum = hn::Zero(d);
    for (int64_t at = 0; at < queries.count; at += hn::Lanes(d)) {
      T *dscore = s.dscores_t + j * kTile + at, *weight = s.weights_t + j * kTile + at;
      const auto delta = hn::Load(d, s.delta + at);
      auto u = hn::Exp(d, hn::Sub(hn::Load(d, dscore), hn::Load(d, s.log_sum + at)));
      auto dweight = hn::Load(d, weight);
      MaskedRow<Lanes<T>> row;
      if constexpr (!kFull) {
        row = mask_row(d, mask, tile.age[j], tile.span[j], hn::Iota(d, static_cast<T>(queries.first + at)));
        u = hn::IfThenElseZero(row.seen, u);
      }
      auto p = kFull ? u : hn::Mul(row.m, u);
      if (x.sizes.dropout > 0) {
        const auto kept = hn::Load(d, s.dropout_t + j * kTile + at);
        dweight = hn::Mul(kept, dweight);
        hn::Store(hn::Mul(kept, p), d, weight);
      } else {
        hn::Store(p, d, weight);
      }
      const auto dm = hn::Mul(u, hn::Sub(dweight, delta));
      if constexpr (!kFull) on_ramp_sum = hn::Add(on_ramp_sum, hn::IfThenElseZero(row.on_ramp, dm));
      hn::Store(hn::NegMulAdd(hn::Mul(eps, u), delta, kFull ? dm : hn::Mul(row.m, dm)), d, dscore);
    }
    dspan[j] = kFull ? T{0} : mask.inverse_ramp * hn::GetLane(hn::SumOfLanes(d, on_ramp_sum));
  }
}

/// What backward needs of the tile's queries: q, grad and both transposed, Δ and log_sum.
template <class T>
void load_queries(const BackwardArrays<T>& x, Head at, Queries queries, const BackwardScratch<T>& s) {
  const int64_t offset = query_offset(x, at, queries), hidden = x.hidden();
  const T scale = static_cast<T>(score_scale(x)), *grad = x.grad + offset, *out = x.out + offset;
  gather_columns(x.q + offset, hidden, queries.count, x.head_size, scale, s.q_t);
  gather_rows(x.q + offset, hidden, queries.count, x.head_size, scale, s.q);
  gather_columns(grad, hidden, queries.count, x.head_size, T{1}, s.grad_t);
  gather_rows(grad, hidden, queries.count, x.head_size, T{1}, s.grad);
  const T* log_sum = x.log_sum + (at.stream * x.sizes.heads + at.head) * x.sizes.block + queries.first;
  std::fill(s.delta, s.delta + kTile, T{0});
  std::fill(s.log_sum, s.log_sum + kTile, T{0});
  for (int64_t i = 0; i < queries.count; ++i) {
    s.log_sum[i] = log_sum[i];
    for (int64_t k = 0; k < x.head_size; ++k) s.delta[i] += grad[i * hidden + k] * out[i * hidden + k];
  }
}

/// to [rows, size] with rows `stride` apart += from [rows, padded_head].
template <class T>
void scatter_add(const T* from, int64_t rows, int64_t size, T* to, int64_t stride) {
  for (int64_t j = 0; j < rows; ++j)
    for (int64_t k = 0; k < size; ++k) to[j * stride + k] += from[j * padded_head(size) + k];
}

/// The gradient of one tile: adds to dkv, dq_t and dby_age; dspan[j] of each row.
template <class T>
void tile_backward(const BackwardArrays<T>& x, Head at, const HeadMask<T>& mask, const RowTile<T>& tile,
                   Queries queries, const BackwardScratch<T>& s, T* dspan) {
  const int64_t size = x.head_size, padded = padded_head(size), stride = 2 * x.hidden();
  const int64_t offset = key_offset(x, at, tile.first);
  const T *keys = x.kv + offset, *values = keys + x.hidden();
  tile_scores(x, at, tile, queries, s.q_t, s.by_age, s.dscores_t);
  product<Into::overwrite, T>(tile.count, queries.count, size, {values, stride, 1}, {s.grad_t, kTile},
                              {s.weights_t, kTile});
  if (x.sizes.dropout > 0) draw_dropout(x.sizes, at, tile, queries.first, s.dropout_t);
  if (tile.full)
    soften_backward<true>(x, mask, tile, queries, s, dspan);
  else
    soften_backward<false>(x, mask, tile, queries, s, dspan);

  product<Into::overwrite, T>(tile.count, size, queries.count, {s.weights_t, kTile, 1}, {s.grad, padded},
                              {s.dvalue, padded});
  product<Into::overwrite, T>(tile.count, size, queries.count, {s.dscores_t, kTile, 1}, {s.q, padded},
                              {s.dkey, padded});
  scatter_add(s.dkey, tile.count, size, x.dkv + offset, stride);
  scatter_add(s.dvalue, tile.count, size, x.dkv + offset + x.hidden(), stride);
  product<Into::add, T>(size, queries.count, tile.count, {keys, 1, stride}, {s.dscores_t, kTile},
                        {s.dq_t, kTile});
  for (int64_t j = 0; j < tile.count; ++j)
    if (T* row = row_of_age(s.dby_age, x.positions, queries, tile.age[j]))
      for (int64_t i = 0; i < queries.count; ++i) row[i] += s.dscores_t[j * kTile + i];
}

/// Adjoint of position_scores: adds to dpos and dq_t.
template <class T>
void position_backward(const AttentionArrays<T>& x, Queries queries, const BackwardScratch<T>& s, T* dpos) {
  if (x.positions == 0) return;
  const int64_t padded = padded_head(x.head_size);
  std::fill(s.by_distance, s.by_distance + x.positions * kTile, T{0});
  for_each_distance(x.positions, queries, [&](int64_t row, int64_t i, int64_t distance) {
    s.by_distance[distance * kTile + i] = s.dby_age[row * kTile + i];
  });
  product<Into::add, T>(x.positions, x.head_size, queries.count, {s.by_distance, kTile, 1}, {s.q, padded},
                        {dpos, padded});
  product<Into::add, T>(x.head_size, queries.count, x.positions, {x.pos, 1, x.head_size},
                        {s.by_distance, kTile}, {s.dq_t, kTile});
}

/// Zeroes what tile_backward adds to: the head's columns of the stream's rows of dkv, and its dspan.
template <class T>
void clear_gradients(const BackwardArrays<T>& x, Head at, T* dspan) {
  const SpanAttentionSizes& s = x.sizes;
  const bool expiring = s.mask == SpanMask::Kind::expiring;
  const auto clear = [&](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; ++j) {
      T* key = x.dkv + key_offset(x, at, j);
      std::fill(key, key + x.head_size, T{0});
      std::fill(key + x.hidden(), key + x.hidden() + x.head_size, T{0});
    }
    if (expiring) std::fill(dspan + begin, dspan + end, T{0});
  };
  const int64_t block = s.memory_rows + at.stream * s.block;
  clear(x.start[at.stream], x.start[at.stream + 1]);
  clear(block, block + s.block);
  if (dspan && !expiring) *dspan = 0;
}

template <class T>
void backward(const BackwardArrays<T>& x, Head at, T* dpos, T* scratch) {
  const SpanAttentionSizes& sizes = x.sizes;
  const HeadMask<T> mask(x, at);
  Arena<T> arena(scratch);
  const BackwardScratch<T> s(arena, x.head_size, x.positions);
  const bool expiring = sizes.mask == SpanMask::Kind::expiring;
  T* dspan = !x.dspan   ? nullptr
             : expiring ? x.dspan + at.head * x.rows
                        : x.dspan + at.stream * sizes.heads + at.head;
  clear_gradients(x, at, dspan);
  for (int64_t first = 0; first < sizes.block; first += kTile) {
    const Queries queries{first, std::min(kTile, sizes.block - first)};
    load_queries(x, at, queries, s);
    position_scores(x, queries, s.q_t, s.by_distance, s.by_age);
    std::fill(s.dq_t, s.dq_t + x.head_size * kTile, T{0});
    std::fill(s.dby_age, s.dby_age + ages_in_reach(x.positions) * kTile, T{0});

    for_each_tile(x, at, mask, queries, [&](const RowTile<T>& tile) {
      T row_dspan[kTile];
      tile_backward(x, at, mask, tile, queries, s, row_dspan);
      if (!dspan || tile.full) return;
      for (int64_t j = 0; j < tile.count; ++j) dspan[expiring ? tile.first + j : 0] += row_dspan[j];
    });

    position_backward(x, queries, s, dpos);
    T* dq = x.dq + query_offset(x, at, queries);
    const T scale = static_cast<T>(score_scale(x));
    for (int64_t i = 0; i < queries.count; ++i)
      for (int64_t k = 0; k < x.head_size; ++k) dq[i * x.hidden() + k] = scale * s.dq_t[k * kTile + i];
  }
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
