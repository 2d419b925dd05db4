// The auxiliary loss that pushes spans down.
#pragma once

#include "engine/tensor.h"

namespace fade {

/// coefficient/(R·M) · Σ_{i,j: 0 < m_ij < 1} r_ij, averaged over the B streams;
/// r and m are those of ops/expire_mask.
///   span e [B, L] in positions, f32 or f64, age i32 [B, L], M = block queries → []
/// de[b,j] = g·coefficient/(R·M·B) · (number of queries that meet row j on the ramp): the same force for
/// each. Costs O(L) and allocates nothing of size M×L (span_loss.md). Saves e, age. Spec section 3;
/// Sukhbaatar et al. 2021, section 4. Throws on shapes that differ, R < 2, or M < 1.
Tensor span_loss(const Tensor& span, const Tensor& age, int64_t block, int ramp, double coefficient);

}  // namespace fade
