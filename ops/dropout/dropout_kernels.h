// Kernel of dropout: one for the value and the gradient.
#pragma once

#include "engine/kernel.h"
#include "ops/dropout/dropout_math.h"

namespace fade {

/// y_i = factor·x_i where i is kept, else 0.
inline constinit Kernel<void(const Tensor& x, const DropoutMask& mask, Out y)> dropout_kernel{"dropout"};

}  // namespace fade
