// The products of tensor cores.
#pragma once

#include "engine/cuda/emulate/thread.h"

namespace fade::emulate {

/// As fade::mma_tf32 (engine/cuda/mma.h). Throws where an operand is not rounded to TF32.
void mma_tf32(float (&c)[4], const float (&a)[4], const float (&b)[2], Site site = Site::current());

}  // namespace fade::emulate
