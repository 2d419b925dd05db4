// Span attention as plain loops over heads, queries and rows, in double: the equations of span_attention.md
// in order, one line each. Read it before the kernels. A test
// compares it with the steps of the specification.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/span_attention/span_attention_kernels.h"

namespace fade {

/// The inputs of span_attention as plain arrays.
struct NaiveInputs {
  std::vector<double> q, kv, pos, span;
  std::vector<int32_t> start, age;
  int64_t head_size, positions;
  SpanAttentionSizes sizes;
};

struct NaiveResult {
  std::vector<double> out, dq, dkv, dpos, dspan;
};

/// Forward, and the gradients for `grad`, the gradient of out.
inline NaiveResult naive_span_attention(const NaiveInputs& in, const std::vector<double>& grad) {
  const SpanAttentionSizes& n = in.sizes;
  const int64_t D = in.head_size, H = n.heads * D, M = n.block;
  const double scale = 1 / std::sqrt(static_cast<double>(D)), eps = n.epsilon();
  const bool expiring = n.mask == MaskKind::expiring;
  const auto zeros = [](const std::vector<double>& like) { return std::vector<double>(like.size()); };
  NaiveResult to{zeros(in.q), zeros(in.q), zeros(in.kv), zeros(in.pos), zeros(in.span)};
  const auto dot = [D](const double* a, const double* b) {
    double sum = 0;
    for (int64_t d = 0; d < D; ++d) sum += a[d] * b[d];
    return sum;
  };
  const auto add = [D](double factor, const double* from, double* sum) {
    for (int64_t d = 0; d < D; ++d) sum[d] += factor * from[d];
  };

  struct Row {                // a context row in the domain of a query
    int64_t index, position;  // in the context and in pos, −1 for none
    double r, m, slope;       // F1 and R·dm/dr
    double s = 0, g = 1, u = 0;
  };
  for (int64_t b = 0; b < n.streams; ++b)
    for (int64_t h = 0; h < n.heads; ++h)
      for (int64_t i = 0; i < M; ++i) {
        const int64_t query = (b * M + i) * H + h * D;
        const double *q = &in.q[query], *dout = &grad[query];
        const auto key = [&](const Row& row) { return row.index * 2 * H + h * D; };
        const auto value = [&](const Row& row) { return key(row) + H; };

        std::vector<Row> domain;
        const auto consider = [&](int64_t j) {
          const int64_t age = in.age[j], distance = age + i, window = n.window;
          int64_t position = distance <= in.positions ? distance - 1 : -1;
          if (n.slots.count && age > window) {  // a slot, visible once its group has left the window
            const int64_t past_gap = distance - window - M - 1, slot = past_gap / n.slots.rate;
            if (past_gap < 0 || slot >= n.slots.count) return;
            position = window + slot;
          } else if (distance < 1 || (window > 0 && distance > window)) {
            return;
          }
          Row row{.index = j, .position = position, .r = 0, .m = 1, .slope = 0};
          if (n.mask != MaskKind::window) {  // F1, written out: a test compares mask.h with it
            row.r = expiring ? in.span[j] - static_cast<double>(distance)
                             : in.span[h] - static_cast<double>(distance - 1);
            const double x = std::clamp(row.r / n.ramp + 1, 0.0, 1.0);
            row.m = ramp_value(x);
            row.slope = -n.ramp <= row.r && row.r <= 0 ? ramp_slope(x) : 0;
          }
          if (expiring && !(row.m > 0)) return;
          row.s = dot(q, &in.kv[key(row)]);  // F2
          if (row.position >= 0) row.s += dot(q, &in.pos[row.position * D]);
          row.s *= scale;
          if (n.dropout > 0) {
            const uint64_t counter = dropout_index(b, n.heads, h, M, in.age[j], i);
            row.g = uniform(n.key, counter) < n.dropout ? 0 : 1 / (1 - n.dropout);
          }
          domain.push_back(row);
        };
        for (int64_t j = in.start[b]; j < in.start[b + 1]; ++j) consider(j);
        for (int64_t j = n.memory_rows + b * M; j < n.memory_rows + (b + 1) * M; ++j) consider(j);
        if (domain.empty()) continue;

        double row_max = domain[0].s, sum_exp = 0, masked_sum_exp = 0;
        for (const Row& row : domain) row_max = std::max(row_max, row.s);
        for (Row& row : domain) {
          row.u = std::exp(row.s - row_max);  // F3
          sum_exp += row.u;                   // F4
          masked_sum_exp += row.m * row.u;
        }
        const double den = masked_sum_exp + eps * sum_exp;
        for (const Row& row : domain)  // F5, F6
          add(row.g * row.m * row.u / den, &in.kv[value(row)], &to.out[query]);

        const double delta = dot(dout, &to.out[query]);  // B1
        for (const Row& row : domain) {
          const double u = row.u / den;                             // B2
          const double p = row.m * u;                               // B3
          const double dp = row.g * dot(dout, &in.kv[value(row)]);  // B4
          const double dm = u * (dp - delta);                       // B5
          const double ds = row.m * dm - eps * u * delta;           // B6
          add(row.g * p, dout, &to.dkv[value(row)]);                // B7
          add(ds * scale, q, &to.dkv[key(row)]);                    // B8
          add(ds * scale, &in.kv[key(row)], &to.dq[query]);         // B9
          if (row.position >= 0) {
            add(ds * scale, &in.pos[row.position * D], &to.dq[query]);
            add(ds * scale, q, &to.dpos[row.position * D]);  // B10
          }
          if (n.mask != MaskKind::window)  // B11
            to.dspan[expiring ? row.index : h] += dm * row.slope / n.ramp;
        }
      }
  return to;
}

}  // namespace fade
