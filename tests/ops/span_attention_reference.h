// Span attention in f64, the two steps of the specification: one query at a time, each step of the
// specification as it is written there, and then the gradient of each step. It shares no formula with the
// operation, its mask included.
#pragma once

#include <cmath>
#include <vector>

#include "ops/span_attention/naive.h"

namespace fade {

class Reference {
 public:
  Reference(const NaiveInputs& inputs, const std::vector<double>& grad)
      : in(inputs), n(inputs.sizes), positions_(std::ssize(inputs.pos) / inputs.head_size), grad_(grad) {
    result.out.resize(in.q.size());
    result.dq.resize(in.q.size());
    result.dkv.resize(in.kv.size());
    result.dpos.resize(in.pos.size());
    result.dspan.resize(in.span.size());
    for (int64_t b = 0; b < n.streams; ++b)
      for (int64_t h = 0; h < n.heads; ++h)
        for (int64_t i = 0; i < n.block; ++i) attend(b, h, i);
  }
  NaiveResult result;

 private:
  struct Row {            // a context row within reach of a query
    int64_t j, position;  // row and position row, −1 for none
    double remaining, m, score = 0, a = 0, w = 0, kept = 1, dw = 0, da = 0;
  };

  double remaining_span(int64_t h, int64_t j, int64_t distance) const {
    if (n.mask == MaskKind::expiring) return in.span[j] - static_cast<double>(distance);
    return in.span[h] - static_cast<double>(distance - 1);
  }

  std::vector<Row> rows_of(int64_t b, int64_t h, int64_t i) const {
    std::vector<Row> rows;
    const auto consider = [&](int64_t j) {
      const int64_t distance = in.age[j] + i;
      Row row{j, distance <= positions_ ? distance - 1 : -1, 0, 1};
      if (n.slots.count > 0 && in.age[j] > n.window) {  // a slot: its group of rows has left the window
        const int64_t left_by = distance - n.window - n.block - 1;
        if (left_by < 0 || left_by / n.slots.rate >= n.slots.count) return;
        row.position = n.window + left_by / n.slots.rate;
      } else if (distance < 1 || (n.window > 0 && distance > n.window)) {
        return;
      }
      if (n.mask != MaskKind::window) {
        row.remaining = remaining_span(h, j, distance);
        row.m = std::min(1., std::max(0., row.remaining / n.ramp + 1));
      }
      if (n.mask == MaskKind::expiring && !(row.m > 0)) return;
      if (n.dropout.p > 0) {
        const uint64_t index = n.dropout.first + dropout_index(b, n.heads, h, n.block, in.age[j], i);
        const KeepRule keep(n.dropout.p);
        row.kept = is_kept(n.dropout.key, index, keep.threshold) ? keep.factor : 0;
      }
      rows.push_back(row);
    };
    for (int64_t j = in.start[b]; j < in.start[b + 1]; ++j) consider(j);
    for (int64_t p = 0; p < n.block; ++p) consider(n.memory_rows + b * n.block + p);
    return rows;
  }

  void attend(int64_t b, int64_t h, int64_t i) {
    const int64_t D = in.head_size, H = n.heads * D;
    const double scale = 1 / std::sqrt(static_cast<double>(D));
    const double eps = n.mask == MaskKind::window ? 0 : 1e-8;
    const int64_t query = (b * n.block + i) * H + h * D;
    std::vector<Row> rows = rows_of(b, h, i);
    const auto has_position = [&](const Row& r) { return r.position >= 0; };
    const auto key = [&](const Row& r) { return r.j * 2 * H + h * D; };

    double row_max = -INFINITY, sum = 0, denominator = eps;
    for (Row& r : rows) {
      for (int64_t d = 0; d < D; ++d) {
        r.score += in.q[query + d] * in.kv[key(r) + d];
        if (has_position(r)) r.score += in.q[query + d] * in.pos[r.position * D + d];
      }
      r.score *= scale;
      row_max = std::max(row_max, r.score);
    }
    for (Row& r : rows) sum += r.a = std::exp(r.score - row_max);
    for (Row& r : rows) r.a /= sum;
    for (Row& r : rows) denominator += r.a * r.m;
    double weighted = 0, softmax_mean = 0;
    for (Row& r : rows) {
      r.w = r.a * r.m / denominator;
      for (int64_t d = 0; d < D; ++d) {
        const int64_t value = key(r) + H + d;
        result.out[query + d] += r.kept * r.w * in.kv[value];
        r.dw += r.kept * grad_[query + d] * in.kv[value];
        result.dkv[value] += r.kept * r.w * grad_[query + d];
      }
      weighted += r.dw * r.w;
    }
    for (Row& r : rows) {
      r.da = r.m * (r.dw - weighted) / denominator;
      softmax_mean += r.a * r.da;
      if (n.mask != MaskKind::window && r.remaining >= -n.ramp && r.remaining <= 0)
        result.dspan[n.mask == MaskKind::expiring ? r.j : h] +=
            r.a * (r.dw - weighted) / denominator / n.ramp;
    }
    for (const Row& r : rows) {
      const double dscore = scale * r.a * (r.da - softmax_mean);
      for (int64_t d = 0; d < D; ++d) {
        result.dq[query + d] += dscore * in.kv[key(r) + d];
        result.dkv[key(r) + d] += dscore * in.q[query + d];
        if (!has_position(r)) continue;
        result.dq[query + d] += dscore * in.pos[r.position * D + d];
        result.dpos[r.position * D + d] += dscore * in.q[query + d];
      }
    }
  }

  const NaiveInputs& in;
  const SpanAttentionSizes& n;
  const int64_t positions_;
  const std::vector<double>& grad_;
};

}  // namespace fade
