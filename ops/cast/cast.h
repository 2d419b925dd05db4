// The same numbers in another type, with a gradient.
#pragma once

#include "engine/tensor.h"

namespace fade {

/// y = x, rounded to type `t` (Tensor::to, recorded).
///   x [...] → y [...] of type `t`: f32 or f64, on both devices, or bf16
/// dx = g, rounded to x's type.   Saves nothing.   Throws for other types.
Tensor cast(const Tensor& x, DType t);

}  // namespace fade
