// The memory of a run whose streams are divided between ranks.
#pragma once

#include "engine/ranks/ranks.h"
#include "models/memory.h"

namespace fade {

/// The values of rank 0 replace those of the other ranks.
void broadcast_values(const Tensor& values, const Ranks& ranks);

/// The memory of all streams, on the CPU, for rank 0; the other ranks, which call it too, get what they give.
/// `own` is that of this rank's streams; no layer is pending. With one rank, `own` itself.
Memory gather_memory(const Memory& own, const Ranks& ranks);

/// This rank's part of the memory of all streams that rank 0 has: `all`, which only rank 0 reads. `own`, that of this
/// rank's streams now, gives sizes and device. With one rank, `all` on that device.
Memory divide_memory(const Memory& all, const Memory& own, const Ranks& ranks);

}  // namespace fade
