// Initial values. Drawn on the host in double precision, from one Philox stream per tensor: every device and
// type starts from the same model. Each function overwrites `t`, f32 or f64 of any shape, in place.
#pragma once

#include "engine/rng.h"
#include "engine/tensor.h"

namespace fade {

/// t ~ U(−bound, bound).
void init_uniform(const Tensor& t, double bound, RngKey key);
/// t ~ N(0, 1) (Box and Muller 1958).
void init_normal(const Tensor& t, RngKey key);
/// t = value.
void init_constant(const Tensor& t, double value);
/// t *= factor.
void init_scale(const Tensor& t, double factor);

}  // namespace fade
