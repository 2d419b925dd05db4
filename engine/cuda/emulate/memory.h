// Memory of the emulated device: host memory that host code cannot access, as with a GPU.
#pragma once

#include <cstddef>

namespace fade::emulate {

/// 64-byte aligned; nullptr when more than kMemory would be in use. Filled with NaN up to kFilled bytes; what
/// is larger occupies memory of the machine only where it is written.
void* allocate_memory(size_t bytes);
/// Returns the memory that allocate_memory(bytes) returned.
void release_memory(void* p, size_t bytes);
size_t free_memory();
/// True iff these bytes are all in memory that allocate_memory returned.
bool is_device_memory(const void* p, size_t bytes);

inline constexpr size_t kMemory = size_t{4} << 30;    ///< bytes of the device
inline constexpr size_t kFilled = size_t{128} << 20;  ///< bytes; tests compute with less

/// True iff host code that accesses the device's memory is stopped: on processors with protection keys.
bool memory_is_guarded();

/// While in scope, the calling thread of the operating system may access the device's memory: for kernels,
/// copies and BLAS.
class MemoryAccess {
 public:
  MemoryAccess();
  MemoryAccess(const MemoryAccess&) = delete;
  MemoryAccess& operator=(const MemoryAccess&) = delete;
  ~MemoryAccess();

 private:
  int before_;
};

}  // namespace fade::emulate
