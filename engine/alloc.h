// Memory pools, one per device (engine/memory_pool.h): released memory is kept and handed out again, so that a
// training step allocates nothing from the system once the first steps are done. Also the byte counters that
// `fade bench` reports.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/device.h"

namespace fade {

/// The byte counters of a device's pool.
struct MemoryStats {
  int64_t live = 0;    ///< bytes in use by tensors, as requested
  int64_t peak = 0;    ///< highest `live` since the start or the last reset_peak
  int64_t system = 0;  ///< bytes taken from the system, in use or kept for reuse
};

/// `bytes` of memory on `d`, 64-byte aligned, contents undefined. Throws Error when out of memory; the
/// message gives the bytes requested, live, kept and free, and the settings to lower. Throws as backend(d) does.
void* allocate(size_t bytes, Device d);
/// Returns the memory that allocate(bytes, d) returned.
void release(void* p, size_t bytes, Device d) noexcept;

/// The counters of now. Throws as backend(d) does, as do the two functions below.
MemoryStats memory_stats(Device d);
/// Sets the peak to the bytes that are live.
void reset_peak(Device d);
/// Returns kept memory that is not in use to the system; waits for the device.
void trim_pool(Device d);

}  // namespace fade
