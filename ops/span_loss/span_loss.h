// The auxiliary loss that pushes spans down.
#pragma once

#include "engine/tensor.h"

namespace fade {

/// coefficient/(R·M) · Σ_{i,j: 0 < m_ij < 1} r_ij, averaged over the B streams: [].  r and m as in
/// ops/expire_mask.
///   span e [B, L], age i32 [B, L], M = block queries
/// de[b,j] = g·coefficient/(R·M·B) · (number of queries for which row j is under the ramp): each is pushed
/// with the same force. O(L) and no [M, L] tensor: the queries under the ramp are consecutive (span_loss.md).
/// Saves e, age. Spec section 3; Sukhbaatar et al. 2021, eq. 7. Throws unless R ≥ 2.
Tensor span_loss(const Tensor& span, const Tensor& age, int64_t block, int ramp, double coefficient);

}  // namespace fade
