// Sums over a dimension on the device: of arrays of any shape, in double, in an order that depends on the
// sizes only.
#pragma once

#include "engine/tensor.h"

namespace fade {

/// x [outer, n, inner] → out [outer, inner].
struct SumSizes {
  int64_t outer, n, inner;
};

/// out = factor·Σ x over the middle dimension, 0 where n = 0. f32 or f64 each, on the CUDA device. Where n is
/// long and there are few sums, each is cut into partial sums. `name` is the operation's.
void sum_middle(const char* name, const Tensor& x, SumSizes s, double factor, const Tensor& out);

}  // namespace fade
