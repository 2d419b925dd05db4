// Who sees whom in a tile, the soft mask, and dropout. Included once an instruction set.
#if defined(FADE_TILE_MASK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FADE_TILE_MASK_INL_H_
#undef FADE_TILE_MASK_INL_H_
#else
#define FADE_TILE_MASK_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <limits>

#include "ops/span_attention/cpu/arrays.h"

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// The mask of one head as one formula for all kinds: row j is seen at first ≤ δ ≤ last where its remaining
/// span r = e_j − δ > floor, and weighs m = clamp(r/R + 1, 0, 1). first is 1 and last the window, but for
/// slots, which are the rows older than slot_age.
template <class T>
struct HeadMask {
  const T* span;  ///< e_j is span[j·span_step] + span_offset
  int64_t span_step;
  T span_offset;
  T floor, inverse_ramp;
  T slot_age, first[2], last[2];  ///< distances of rows, and of slots

  HeadMask(const AttentionArrays<T>& x, Head at) {
    static constexpr T kForever = 1e30f, kNothing = 0;
    const SpanAttentionSizes& s = x.sizes;
    const bool expiring = s.mask == SpanMask::Kind::expiring, plain = s.mask == SpanMask::Kind::window;
    span = plain ? &kNothing : expiring ? x.span : x.span + at.head;
    span_step = expiring ? 1 : 0;
    span_offset = plain ? kForever : expiring ? T{0} : T{1};  // adaptive: z − (δ − 1) = (z + 1) − δ
    floor = expiring ? static_cast<T>(-s.ramp) : -2 * kForever;
    inverse_ramp = plain ? T{1} : 1 / static_cast<T>(s.ramp);
    slot_age = s.slots.count ? static_cast<T>(s.window) : kForever;
    for (const int slot : {0, 1}) {
      const auto seen = s.seen(slot * (s.window + 1));
      first[slot] = static_cast<T>(seen.first);
      last[slot] = static_cast<T>(seen.last);
    }
  }
  bool is_slot(T age) const { return age > slot_age; }
  T span_of(int64_t row) const { return span[row * span_step] + span_offset; }
};

/// Context rows that a tile of queries sees.
template <class T>
struct RowTile {
  bool full = false;  ///< every query sees all of each: no mask, no gradient to the spans
  int64_t count = 0;  ///< at most kTile
  int64_t next = -1;  ///< the first row of the context that was not looked at yet; −1: none
  int64_t row[kTile];
  T age[kTile], span[kTile];

  void add(int64_t number, T its_age, T its_span) {
    row[count] = number;
    age[count] = its_age;
    span[count++] = its_span;
  }
};

/// How much of a row the queries first_query..last_query see: nothing; something; each of them all of it.
enum class Sight { none, some, full };

template <class T>
HWY_INLINE Sight sight_of(const HeadMask<T>& mask, T age, T span, T first_query, T last_query) {
  const bool slot = mask.is_slot(age);
  const T nearest = std::max(first_query, mask.first[slot] - age),
          farthest = std::min(last_query, mask.last[slot] - age);
  if (nearest > farthest || !(span - (age + nearest) > mask.floor)) return Sight::none;
  const bool all = nearest == first_query && farthest == last_query && span - (age + last_query) > 0;
  return all ? Sight::full : Sight::some;
}

/// The soft mask of one row for a vector of queries.
template <class D>
struct MaskedRow {
  hn::Mask<D> seen, on_ramp;
  hn::Vec<D> m;
};

template <class D, class T = hn::TFromD<D>>
HWY_INLINE MaskedRow<D> mask_row(D d, const HeadMask<T>& mask, T age, T span, hn::Vec<D> query) {
  const auto one = hn::Set(d, T{1}), zero = hn::Zero(d);
  const auto distance = hn::Add(hn::Set(d, age), query);
  const auto left = hn::Sub(hn::Set(d, span), distance);
  const auto m = hn::MulAdd(left, hn::Set(d, mask.inverse_ramp), one);
  const bool slot = mask.is_slot(age);
  const auto seen = hn::And(
      hn::And(hn::Ge(distance, hn::Set(d, mask.first[slot])), hn::Le(distance, hn::Set(d, mask.last[slot]))),
      hn::Gt(left, hn::Set(d, mask.floor)));
  const auto on_ramp = hn::And(hn::Le(left, zero), hn::Ge(left, hn::Set(d, -1 / mask.inverse_ramp)));
  return {seen, on_ramp, hn::Min(one, hn::Max(zero, m))};
}

/// words[0, 4·counters): those of the Philox stream `key` from position `first` on. `counters` is a multiple
/// of every vector's lanes.
#if HWY_TARGET == HWY_SCALAR
inline void philox_words(RngKey key, uint64_t first, int64_t counters, uint32_t* words) {
  for (int64_t at = 0; at < counters; ++at) {
    const Philox4 four = philox(key, first + at);
    std::copy_n(four.v, 4, words + 4 * at);
  }
}
#else
/// The products of the low halves of x's lanes with `by`.
template <class D>
HWY_INLINE hn::Vec<D> low_product(D, hn::Vec<D> x, uint32_t by) {
  const hn::Repartition<uint32_t, D> halves;
  return hn::MulEven(hn::BitCast(halves, x), hn::Set(halves, by));
}

// philox() of engine/rng.h with a counter in each lane. Only the low halves of c0..c3 are meant: the upper
// ones hold what low_product does not look at.
inline void philox_words(RngKey key, uint64_t first, int64_t counters, uint32_t* words) {
  const hn::ScalableTag<uint64_t> d;
  const auto low_half = hn::Set(d, 0xFFFFFFFFu);
  for (int64_t at = 0; at < counters; at += hn::Lanes(d)) {
    const auto position = hn::Add(hn::Set(d, first + at), hn::Iota(d, 0));
    auto c0 = position, c1 = hn::ShiftRight<32>(position);
    auto c2 = hn::Set(d, key.stream), c3 = hn::Set(d, key.stream >> 32);
    uint32_t k0 = static_cast<uint32_t>(key.seed), k1 = static_cast<uint32_t>(key.seed >> 32);
    for (int round = 0; round < 10; ++round) {
      const auto p0 = low_product(d, c0, 0xD2511F53u), p1 = low_product(d, c2, 0xCD9E8D57u);
      c0 = hn::Xor(hn::Xor(hn::ShiftRight<32>(p1), c1), hn::Set(d, k0));
      c2 = hn::Xor(hn::Xor(hn::ShiftRight<32>(p0), c3), hn::Set(d, k1));
      c1 = p1;
      c3 = p0;
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    const auto c01 = hn::Or(hn::And(c0, low_half), hn::ShiftLeft<32>(c1));
    const auto c23 = hn::Or(hn::And(c2, low_half), hn::ShiftLeft<32>(c3));
    hn::StoreInterleaved2(c01, c23, d, reinterpret_cast<uint64_t*>(words + 4 * at));
  }
}
#endif

/// factors [tile.count, kTile]: what dropout multiplies each weight by, 0 or 1/(1 − p).
template <class T>
void draw_dropout(const SpanAttentionSizes& s, Head at, const RowTile<T>& tile, int64_t first_query,
                  T* factors) {
  alignas(64) uint32_t words[kTile];
  const double kept = 1 / (1 - s.dropout);
  for (int64_t j = 0; j < tile.count; ++j) {
    const uint64_t index =
        dropout_index(at.stream, s.heads, at.head, s.block, static_cast<int32_t>(tile.age[j]), first_query);
    philox_words(s.key, index / 4, kTile / 4, words);
    for (int64_t i = 0; i < kTile; ++i) {
      const float uniform = static_cast<float>(words[i] >> 8) * 0x1p-24f;
      factors[j * kTile + i] = uniform < s.dropout ? T{0} : static_cast<T>(kept);
    }
  }
}

}  // namespace fade::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
