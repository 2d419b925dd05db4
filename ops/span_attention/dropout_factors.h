// Dropout of span_attention as a tensor, for attention that is composed of single operations.
#pragma once

#include "ops/dropout/dropout.h"
#include "ops/packed_rows/packed_rows.h"

namespace fade {

/// What dropout of span_attention multiplies each weight by, 1/(1 − p) or 0: a constant for the gradient.
///   age: that of PaddedRows [B, L], for blocks of n queries → [B, K, n, L], dtype f32 or f64, on the device of age
/// `draw` as in SpanAttentionOptions. Computed on the host: waits for the device. Throws for another dtype, and unless
/// 0 ≤ p < 1.
Tensor dropout_factors_of_weights(const Tensor& age, int64_t heads, int64_t block, const DropoutDraw& draw,
                                  DType dtype);

}  // namespace fade
