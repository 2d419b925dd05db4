// Sums over a dimension of an array of any shape, on the device, in double, in an order that depends only
// on the sizes.
#pragma once

#include "engine/kernel.h"
#include "engine/tensor.h"

namespace fade {

/// x [outer, n, inner] → out [outer, inner].
struct SumSizes {
  int64_t outer;  ///< product of the dimensions before
  int64_t n;      ///< the dimension that is summed over
  int64_t inner;  ///< product of the dimensions after
};

/// out = factor·Σ x over the middle dimension, 0 if n = 0. x and out are f32 or f64, on the CUDA device. A
/// long n with few sums is cut into partial sums. `name` is the operation's, for errors.
void sum_middle(const char* name, const Tensor& x, SumSizes s, double factor, Out out);

}  // namespace fade
