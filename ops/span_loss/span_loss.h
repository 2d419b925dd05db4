// The auxiliary loss that pushes spans down.
#pragma once

#include "engine/kernel.h"
#include "engine/tensor.h"

namespace fade {

struct SpanLoss {
  int64_t block;       ///< M
  int ramp;            ///< R
  double coefficient;  ///< span.loss

  /// What pushes a row down for each query that meets it under the ramp: coefficient/(R·M·B).
  double force(int64_t streams) const {
    return coefficient / (static_cast<double>(ramp) * static_cast<double>(block * streams));
  }
};

/// coefficient/(R·M) · Σ_{i,j: 0 < m_ij < 1} r_ij, averaged over the B streams: [].  r and m as in
/// ops/expire_mask.
///   span e [B, L], age i32 [B, L], M = block queries
/// de[b,j] = g·coefficient/(R·M·B) · (number of queries for which row j is under the ramp): the same force
/// for each. O(L) and no [M, L] tensor: the queries under the ramp are consecutive (span_loss.md).   Saves e,
/// age. Spec section 3; Sukhbaatar et al. 2021, section 4. Throws unless R ≥ 2.
Tensor span_loss(const Tensor& span, const Tensor& age, int64_t block, int ramp, double coefficient);

/// loss = coefficient/(R·M·B) · Σ r over rows and queries under the ramp.
inline constinit Kernel<void(const Tensor& span, const Tensor& age, const SpanLoss&, const Tensor& loss)>
    span_loss_forward{"span_loss"};
/// dspan[b,j] = g · coefficient/(R·M·B) · number of queries that meet row j under the ramp.
inline constinit Kernel<void(const Tensor& g, const Tensor& span, const Tensor& age, const SpanLoss&,
                             const Tensor& dspan)>
    span_loss_backward{"span_loss"};

}  // namespace fade
