// Kernels of span_loss. span and dspan [B, L], age i32 [B, L], loss and g [].
#pragma once

#include "engine/kernel.h"

namespace fade {

struct SpanLoss {
  int32_t block;       ///< M
  int32_t ramp;        ///< R
  double coefficient;  ///< span.loss

  /// What each query that meets a row on the ramp adds to the gradient of its span: coefficient/(R·M·B).
  double force(int64_t streams) const {
    return coefficient / (static_cast<double>(ramp) * static_cast<double>(block * streams));
  }
};

/// loss = force · Σ r over all rows and queries with 0 < m < 1.
inline constinit Kernel<void(const Tensor& span, const Tensor& age, const SpanLoss&, Out loss)>
    span_loss_forward{"span_loss"};
/// dspan[b,j] = g · force · (number of queries with 0 < m < 1 for row j).
inline constinit Kernel<void(const Tensor& g, const Tensor& span, const Tensor& age, const SpanLoss&,
                             Out dspan)>
    span_loss_backward{"span_loss"};

}  // namespace fade
