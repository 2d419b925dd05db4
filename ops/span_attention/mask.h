// The mask: which context rows a query sees, and how much of each. One formula for all kinds of attention; the composed
// operations and the fused kernels of both devices call it. Equation F1 of span_attention.md.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "engine/host_device.h"
#include "ops/span_attention/ramp.h"

namespace fade {

enum class MaskKind : int32_t {
  window,    ///< no spans: every row within the window is fully visible
  expiring,  ///< a span per row; a row with m = 0 is outside the softmax
  adaptive   ///< a span per head; rows with m = 0 stay in the softmax
};

/// Distances first ≤ δ ≤ last; none if last < first.
struct Distances {
  int32_t first, last;
};

/// Queries first..last of a block; none if last < first.
struct QueryRange {
  int32_t first, last;
};

/// What the queries of a range see of one row: no query sees it, some see some of it, or each sees all of it (and none
/// meets it on the ramp, so its span gets no gradient).
enum class Visibility { none, partial, full };

/// A distance beyond all rows. The sum of two is an int32.
inline constexpr int32_t kFar = 1 << 29;

/// The mask as a function of a row's span e and its distance δ = age + query. Both are exact in T. The functions of one
/// (span, distance) pair ignore which distances are visible; see `distances`.
template <class T>
struct MaskFormula {
  const T* spans =
      nullptr;  ///< e of row j for head h: spans[j·row_stride + h·head_stride] + span_offset; no spans: ∞
  int32_t row_stride = 0, head_stride = 0;
  T span_offset = 0;
  T ramp = 1, inverse_ramp = 1;  ///< R, 1/R
  T domain_end =
      std::numeric_limits<T>::infinity();  ///< positions from a span's end to where the softmax drops the row

  int32_t slot_age = kFar;  ///< rows older than this are slots (compressed memory)
  Distances rows{1, kFar}, slots{1, kFar};

  MaskFormula() = default;
  /// For spans of `kind`, [N] or [K]; `steps` is R.
  MaskFormula(MaskKind kind, const T* e, int32_t steps) {
    if (kind == MaskKind::window) return;
    spans = e;
    (kind == MaskKind::expiring ? row_stride : head_stride) = 1;
    if (kind == MaskKind::adaptive) span_offset = 1;  // z − (δ − 1) = (z + 1) − δ
    ramp = static_cast<T>(steps);
    inverse_ramp = 1 / ramp;
    if (kind == MaskKind::expiring) domain_end = ramp;
  }

  FADE_HD T span_of(int64_t row, int64_t head) const {
    return spans ? spans[row * row_stride + head * head_stride] + span_offset
                 : std::numeric_limits<T>::infinity();
  }
  /// The distances at which queries see a row of this age, by position alone.
  FADE_HD Distances distances(int32_t age) const { return age > slot_age ? slots : rows; }

  /// r, the remaining span.
  FADE_HD T remaining(T span, T distance) const { return span - distance; }
  /// x = clamp(r/R + 1, 0, 1): where on the ramp.
  FADE_HD T fraction(T span, T distance) const {
    const T x = remaining(span, distance) * inverse_ramp + 1;
    return x < 0 ? T{0} : x > 1 ? T{1} : x;
  }
  /// m.
  FADE_HD T value(T span, T distance) const { return ramp_value(fraction(span, distance)); }
  /// True iff the row belongs to the softmax's domain.
  FADE_HD bool in_domain(T span, T distance) const { return remaining(span, distance) > -domain_end; }
  /// True iff the mask's gradient reaches the span. Both ends of the ramp pass, as in PyTorch's clamp.
  FADE_HD bool on_ramp(T span, T distance) const {
    const T r = remaining(span, distance);
    return (r <= 0) & (r >= -ramp);
  }
  /// R·dm/de.
  FADE_HD T slope(T span, T distance) const {
    return on_ramp(span, distance) ? ramp_slope(fraction(span, distance)) : T{0};
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
  FADE_HD Visibility visibility(int32_t age, T span, QueryRange range) const {
    const QueryRange by = within_reach(age, range);
    if (by.first > by.last || !in_domain(span, static_cast<T>(age + by.first))) return Visibility::none;
    const bool all = by.first == range.first && by.last == range.last &&
                     remaining(span, static_cast<T>(age + by.last)) > 0;
    return all ? Visibility::full : Visibility::partial;
  }
};

}  // namespace fade
