// Running sums.
#pragma once

#include "engine/tensor.h"

namespace fade {

/// y_k = x_0 + … + x_k along `dim`, of x's shape; f32 or f64, summed in double.
/// dx_k = g_k + … + g_last: every later sum contains x_k.   Saves nothing.   Throws when x has no such `dim`.
Tensor cumsum(const Tensor& x, int dim);

}  // namespace fade
