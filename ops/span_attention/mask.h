// The mask: which context rows a query sees, and how much of each. One formula for all kinds of attention;
// the composed operations and the fused kernels of both devices call it. Equation F1 of span_attention.md.
//
// Every decision compares a span with a whole number (a distance, or a distance minus R), which is exact.
// After a subtraction it would not be: in f32, a span of 1e-9 minus a
// distance of R rounds to −R, the end of the ramp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "engine/host_device.h"
#include "ops/span_attention/ramp.h"

namespace fade {

/// Whose spans a mask has.
enum class MaskKind : int32_t {
  window,    ///< no spans: every row within the window is fully visible
  expiring,  ///< a span per row; a row with m = 0 is outside the softmax
  adaptive   ///< a span per head, compared with δ − 1; rows with m = 0 stay in the softmax
};

/// Distances first ≤ δ ≤ last; none if last < first.
struct Distances {
  int32_t first;  ///< smallest δ
  int32_t last;   ///< largest δ
};

/// Queries first..last of a block; none if last < first.
struct QueryRange {
  int32_t first;  ///< from 0
  int32_t last;   ///< included
};

/// What the queries of a range see of one row.
enum class Visibility {
  none,     ///< no query sees it
  partial,  ///< some see some of it
  full      ///< each sees all of it, and none meets it on the ramp: its span gets no gradient
};

/// Added to the denominator of the weights after a soft mask: a query whose rows are all masked divides by
/// this instead of by zero (spec section 2).
inline constexpr double kRenormEps = 1e-8;

/// A distance beyond all rows. The sum of two is an int32.
inline constexpr int32_t kFar = 1 << 29;

/// The mask as a function of a row's span e and its distance δ = age + query, both exact in T. The remaining
/// span is r = e − (δ − lag), computed as (e + lag) − δ.
template <class T>
struct MaskFormula {
  const T* spans = nullptr;  ///< e of row j for head h: spans[j·row_stride + h·head_stride]; no spans: ∞
  int32_t row_stride = 0;    ///< 1 where rows have spans
  int32_t head_stride = 0;   ///< 1 where heads have spans
  T lag = 0;                 ///< 1 for adaptive spans
  T ramp = 1;                ///< R
  T inverse_ramp = 1;        ///< 1/R
  /// Positions from a span's end until the softmax drops the row.
  T domain_end = std::numeric_limits<T>::infinity();

  int32_t slot_age = kFar;   ///< rows older than this are slots (compressed memory)
  Distances rows{1, kFar};   ///< at which rows are visible by position
  Distances slots{1, kFar};  ///< at which slots are

  MaskFormula() = default;  ///< no spans: every row is visible
  /// For spans of `kind`, [N] or [K]; `length` is R.
  MaskFormula(MaskKind kind, const T* e, int32_t length) {
    if (kind == MaskKind::window) return;
    spans = e;
    ramp = static_cast<T>(length);
    inverse_ramp = 1 / ramp;
    if (kind == MaskKind::expiring) {
      row_stride = 1;
      domain_end = ramp;
    } else {
      head_stride = 1;
      lag = 1;
    }
  }

  /// e of the row for the head; ∞ without spans.
  FADE_HD T span_of(int64_t row, int64_t head) const {
    return spans ? spans[row * row_stride + head * head_stride] : std::numeric_limits<T>::infinity();
  }

  // Of one row and one query, whatever the distances at which rows are visible by position alone.

  /// x = clamp(r/R + 1, 0, 1), the place on the ramp; x > 0 iff r > −R, unless it underflows. Where r/R + 1
  /// rounds to 0 or below before the ramp ends, x comes from the distance to that end: a difference of close
  /// numbers, which is exact.
  FADE_HD T fraction(T span, T distance) const {
    const T end = distance - lag - ramp, x = (span + lag - distance) * inverse_ramp + 1;
    return span <= end ? T{0} : x <= 0 ? (span - end) * inverse_ramp : x > 1 ? T{1} : x;
  }
  /// m.
  FADE_HD T value(T span, T distance) const { return ramp_value(fraction(span, distance)); }
  /// True iff the row belongs to the softmax's domain: for expiring spans r > −R, which is m > 0.
  FADE_HD bool in_domain(T span, T distance) const { return span > distance - lag - domain_end; }
  /// True iff the mask's gradient reaches the span: −R ≤ r ≤ 0. Both ends pass, as in PyTorch's clamp.
  FADE_HD bool on_ramp(T span, T distance) const {
    return (span <= distance - lag) & (span >= distance - lag - ramp);
  }
  /// R·dm/de.
  FADE_HD T slope(T span, T distance) const {
    return on_ramp(span, distance) ? ramp_slope(fraction(span, distance)) : T{0};
  }
  /// True iff the row lasts, and is not on the ramp: r > 0.
  FADE_HD bool lasts(T span, T distance) const { return span > distance - lag; }

  // With the distances at which rows are visible by position alone.

  /// The distances at which a row of this age is visible by position.
  FADE_HD Distances distances(int32_t age) const { return age > slot_age ? slots : rows; }
  /// True iff the query is at such a distance.
  FADE_HD bool reaches(int32_t age, int32_t query) const {
    const Distances reach = distances(age);
    return (age + query >= reach.first) & (age + query <= reach.last);
  }
  /// True iff a query at this distance sees the row; `reach` are its distances().
  FADE_HD bool visible(Distances reach, T span, T distance) const {
    return (distance >= static_cast<T>(reach.first)) & (distance <= static_cast<T>(reach.last)) &
           in_domain(span, distance);
  }
  /// The queries of `range` that see a row of this age, by position alone.
  FADE_HD QueryRange within_reach(int32_t age, QueryRange range) const {
    const Distances reach = distances(age);
    return {std::max(range.first, reach.first - age), std::min(range.last, reach.last - age)};
  }
  /// m for a query; 0 where the row is not visible by position.
  FADE_HD T value_in_reach(int32_t age, T span, int32_t query) const {
    return reaches(age, query) ? value(span, static_cast<T>(age + query)) : T{0};
  }
  /// R·dm/de for a query; 0 where the row is not visible by position.
  FADE_HD T slope_in_reach(int32_t age, T span, int32_t query) const {
    return reaches(age, query) ? slope(span, static_cast<T>(age + query)) : T{0};
  }
  /// What the queries of `range` see of the row.
  FADE_HD Visibility visibility(int32_t age, T span, QueryRange range) const {
    const QueryRange by = within_reach(age, range);
    if (by.first > by.last || !in_domain(span, static_cast<T>(age + by.first))) return Visibility::none;
    const bool all =
        by.first == range.first && by.last == range.last && lasts(span, static_cast<T>(age + by.last));
    return all ? Visibility::full : Visibility::partial;
  }
  /// The queries of `range` that see the row; they are consecutive, as are those below.
  FADE_HD QueryRange visible_queries(int32_t age, T span, QueryRange range) const {
    return not_yet(domain_end, age, span, within_reach(age, range));
  }
  /// The queries of `range` that see all of the row, off the ramp.
  FADE_HD QueryRange full_queries(int32_t age, T span, QueryRange range) const {
    return not_yet(0, age, span, within_reach(age, range));
  }
  /// The queries of `range` for which 0 < m < 1, that is −R < r < 0. A NaN is at no distance.
  FADE_HD QueryRange fading_queries(int32_t age, T span, QueryRange range) const {
    const QueryRange by = not_yet(ramp, age, span, within_reach(age, range));
    const T nearest = static_cast<T>(age + by.first) - lag;
    if (by.first > by.last || nearest > span) return by;
    return {by.first + static_cast<int32_t>(std::min(std::floor(span) - nearest, static_cast<T>(kFar))) + 1,
            by.last};
  }

 private:
  /// The queries of `range` with r > −length: the row's span ended less than `length` positions ago.
  FADE_HD QueryRange not_yet(T length, int32_t age, T span, QueryRange range) const {
    const T nearest = static_cast<T>(age + range.first) - lag - length;
    if (range.first > range.last || !(span > nearest)) return {range.first, range.first - 1};
    if (span > static_cast<T>(age + range.last) - lag - length) return range;
    return {range.first, range.first + static_cast<int32_t>(std::ceil(span) - nearest) - 1};
  }
};

}  // namespace fade
