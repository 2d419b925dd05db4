// Products of matrices on tensor cores: the one place that issues them.
#pragma once

#include "engine/cuda/cuda.h"
#include "engine/cuda/tf32.h"

namespace fade {

/// c += a·b, a [16, 8], b [8, 8], c [16, 8], spread over the 32 lanes of a warp as PTX lays out the fragments
/// of mma.m16n8k8 with .tf32 operands. Lane 4g + t, 0 ≤ g < 8, 0 ≤ t < 4, holds
///
///   a: (g, t) (g + 8, t) (g, t + 4) (g + 8, t + 4)     b: (t, g) (t + 4, g)
///   c: (g, 2t) (g, 2t + 1) (g + 8, 2t) (g + 8, 2t + 1)
///
/// a and b are rounded already (to_tf32): tensor cores ignore the other bits. All lanes of the warp call it.
/// The numbering of the inner dimension is free: a column of a may be any, if it meets the same row of b.
__device__ inline void mma_tf32(float (&c)[4], const float (&a)[4], const float (&b)[2]) {
  cuda_detail::mma_tf32(c, a, b);
}

}  // namespace fade
