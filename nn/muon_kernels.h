// Kernel of Muon.
#pragma once

#include "engine/kernel.h"

namespace fade {

/// m += value·I for each matrix of m [n, k, k].
inline constinit Kernel<void(double value, Out m)> add_to_diagonal_kernel{"add_to_diagonal"};

}  // namespace fade
