// Kernels of survivors.
#pragma once

#include "engine/kernel.h"
#include "ops/survivors/survivors.h"

namespace fade {

/// Fills `out`, whose tensors are allocated. The lifetime's span is a tensor.
inline constinit Kernel<void(const PackedRows&, const Lifetime&, const Survivors& out)> survivors_kernel{
    "survivors"};

}  // namespace fade
