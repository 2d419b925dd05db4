// Dropout (Srivastava et al. 2014), inverted: kept values are scaled up, so evaluation needs no change.
#pragma once

#include "engine/rng.h"
#include "engine/tensor.h"

namespace fade {

/// y_i = x_i/(1 − p) where uniform(key, i) ≥ p, else 0.   dx = the same function of g.   Saves nothing: the
/// mask is drawn again. The same key gives the same mask on every device. p = 0 returns x itself. x has any
/// shape, f32 or f64. Throws unless 0 ≤ p < 1.
Tensor dropout(const Tensor& x, double p, RngKey key);

}  // namespace fade
