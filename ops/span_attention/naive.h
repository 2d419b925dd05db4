// Span attention as plain loops over heads, queries and rows, in double: equations F1 to F6 and B1 to B11 of
// span_attention.md in order (it needs no lse). Read it before the kernels, which tests compare with it; it
// is itself compared with the steps of the specification.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "ops/dropout/keep_bits.h"
#include "ops/span_attention/span_attention_kernels.h"

namespace fade {

/// The inputs of span_attention as plain arrays.
struct NaiveInputs {
  std::vector<double> q, kv, pos, span;
  std::vector<int32_t> start, age;
  int64_t head_size = 0;
  SpanAttentionSizes sizes{};
};

struct NaiveResult {
  std::vector<double> out, dq, dkv, dpos, dspan;
  bool operator==(const NaiveResult&) const = default;
};

/// Forward, and the gradients for `grad`, the gradient of out.
inline NaiveResult naive_span_attention(const NaiveInputs& in, const std::vector<double>& grad) {
  using Vector = std::vector<double>;
  const SpanAttentionSizes& n = in.sizes;
  const int64_t D = in.head_size, H = n.heads * D, M = n.block, P = std::ssize(in.pos) / D;
  const double scale = 1 / std::sqrt(static_cast<double>(D)), eps = n.epsilon();
  const MaskFormula<double> mask = mask_formula(n, in.span.data());
  const KeepRule keep(n.dropout.p);
  NaiveResult to{Vector(in.q.size()), Vector(in.q.size()), Vector(in.kv.size()), Vector(in.pos.size()),
                 Vector(in.span.size())};
  const auto dot = [D](const double* a, const double* b) { return std::inner_product(a, a + D, b, 0.0); };
  const auto add = [D](double factor, const double* x, double* sum) {
    for (int64_t d = 0; d < D; ++d) sum[d] += factor * x[d];
  };

  struct Row {                      // a context row that a query sees
    int64_t key, value, pos, span;  // where its numbers are in kv, pos (−1: none) and span
    double m, slope, s, g, u = 0;
  };
  for (int64_t b = 0; b < n.streams; ++b)
    for (int64_t h = 0; h < n.heads; ++h)
      for (int64_t i = 0; i < M; ++i) {
        const int64_t query = (b * M + i) * H + h * D;
        const double *q = &in.q[query], *dout = &grad[query];
        double *out = &to.out[query], *dq = &to.dq[query];
        std::vector<Row> rows;
        const auto see = [&](int64_t j) {
          const int32_t age = in.age[j], distance = age + static_cast<int32_t>(i);
          const double e = mask.span_of(j, h);
          if (!mask.visible(mask.distances(age), e, distance)) return;
          const int64_t key = j * 2 * H + h * D, position = n.position_row(distance);
          const int64_t pos = position < P ? position * D : -1;
          const double score = dot(q, &in.kv[key]) + (pos < 0 ? 0 : dot(q, &in.pos[pos]));
          const uint64_t decision = n.dropout.first + dropout_index(b, n.heads, h, M, age, i);
          const bool kept = is_kept(n.dropout.key, decision, keep.threshold);
          rows.push_back({.key = key,
                          .value = key + H,
                          .pos = pos,
                          .span = j * mask.row_stride + h * mask.head_stride,
                          .m = mask.value(e, distance),      // F1
                          .slope = mask.slope(e, distance),  // R·ramp'
                          .s = score * scale,                // F2
                          .g = kept ? keep.factor : 0});
        };
        for (int64_t j = in.start[b]; j < in.start[b + 1]; ++j) see(j);
        for (int64_t j = n.memory_rows + b * M; j < n.memory_rows + (b + 1) * M; ++j) see(j);

        double row_max = -std::numeric_limits<double>::infinity(), sum_exp = 0, masked_sum_exp = 0;
        for (const Row& row : rows) row_max = std::max(row_max, row.s);
        for (Row& row : rows) {
          row.u = std::exp(row.s - row_max);  // F3
          sum_exp += row.u;                   // F4
          masked_sum_exp += row.m * row.u;
        }
        const double den = masked_sum_exp + eps * sum_exp;
        for (const Row& row : rows) add(row.g * row.m * row.u / den, &in.kv[row.value], out);  // F5, F6

        const double delta = dot(dout, out);  // B1
        for (const Row& row : rows) {
          const double u = row.u / den;                              // B2
          const double p = row.m * u;                                // B3
          const double dp = row.g * dot(dout, &in.kv[row.value]);    // B4
          const double dm = u * (dp - delta);                        // B5
          const double ds = (row.m * dm - eps * u * delta) * scale;  // B6; 1/√D of B8 to B10
          add(row.g * p, dout, &to.dkv[row.value]);                  // B7
          add(ds, q, &to.dkv[row.key]);                              // B8
          add(ds, &in.kv[row.key], dq);                              // B9
          if (row.pos >= 0) add(ds, &in.pos[row.pos], dq);
          if (row.pos >= 0) add(ds, q, &to.dpos[row.pos]);                // B10
          if (mask.spans) to.dspan[row.span] += dm * row.slope / n.ramp;  // B11
        }
      }
  return to;
}

}  // namespace fade
