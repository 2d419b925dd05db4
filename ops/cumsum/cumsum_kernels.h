// Kernel of cumsum, which sees x and y as [outer, n, inner].
#pragma once

#include "engine/kernel.h"
#include "ops/along.h"

namespace fade {

/// y_k = x_0 + … + x_k over the middle dimension; with `reverse`, x_k + … + x_(n−1).
inline constinit Kernel<void(const Tensor& x, Along s, bool reverse, Out y)> cumsum_kernel{"cumsum"};

}  // namespace fade
