// What span_loss computes of one row, on every device.
#pragma once

#include "ops/span_attention/mask.h"

namespace fade {

/// The row's part of the sum: of the block's queries that meet it
/// on the ramp (0 < m < 1), the number n and Σ r.
struct RampSum {
  double queries, remaining;
};

/// In O(1), because these queries are consecutive: Σ r = n·(e − age) − Σ query (span_loss.md).
template <class T>
FADE_HD RampSum ramp_sum(const MaskFormula<T>& mask, T span, int32_t age, int32_t block) {
  const double e = static_cast<double>(span);
  if (span != span) return {1, e};  // NaN: the loss shows it.  NOLINT(misc-redundant-expression)
  const QueryRange by = mask.fading_queries(age, span, {0, block - 1});
  const int64_t n = by.last < by.first ? 0 : int64_t{by.last} - by.first + 1;
  const int64_t sum_of_queries = n * (int64_t{by.first} + by.last) / 2;
  const double count = static_cast<double>(n);
  return {count, count * (e - age) - static_cast<double>(sum_of_queries)};
}

}  // namespace fade
