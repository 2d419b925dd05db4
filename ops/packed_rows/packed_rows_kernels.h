// Kernels of packed_rows.
#pragma once

#include "engine/kernel.h"

namespace fade {

/// age = memory_age, then −i for position i of each block of `block` positions.
inline constinit Kernel<void(const Tensor& memory_age, int64_t block, Out age)> context_ages_kernel{
    "context_ages"};

}  // namespace fade
