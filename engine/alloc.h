// Memory pools, one a device: a freed block is kept and handed out again, so a steady training step asks the
// system for nothing. Also the byte counters that `fade bench` reports.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/device.h"

namespace fade {

struct MemoryStats {
  int64_t live = 0;    ///< bytes in use by tensors, as asked for
  int64_t peak = 0;    ///< highest `live` since the start or the last reset_peak
  int64_t system = 0;  ///< bytes taken from the system, in use or kept for reuse
};

/// `bytes` of memory on `d`, 64-byte aligned, contents undefined. Throws when there is none, saying what was
/// asked, what is live, and what to lower.
void* allocate(size_t bytes, Device d);
/// Gives back what allocate(bytes, d) returned.
void release(void* p, size_t bytes, Device d) noexcept;

MemoryStats memory_stats(Device d);
void reset_peak(Device d);
/// Returns the kept, unused blocks to the system.
void trim_pool(Device d);

}  // namespace fade
