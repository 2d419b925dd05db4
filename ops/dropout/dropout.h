// Dropout (Srivastava et al. 2014), inverted: kept values are scaled up, so evaluation needs no change.
#pragma once

#include "engine/rng.h"
#include "engine/tensor.h"

namespace fade {

/// y_i = x_i/(1 − p) where element i of the stream is kept, else 0.   dx = the same function of g.   Saves
/// nothing: the mask is drawn again. The same key gives the same mask on every device. Decisions are made on
/// 16 random bits (ops/dropout/keep_bits.h): p, in the factor too, is rounded up to a multiple of 2^-16, and
/// is at most 1 − 2^-16. p = 0 returns x itself. x has any shape, f32 or f64 (on CUDA bf16, too). Throws
/// unless 0 ≤ p < 1.
Tensor dropout(const Tensor& x, double p, RngKey key);

}  // namespace fade
