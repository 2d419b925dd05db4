// Memory of the emulated device: the host's, but out of the host code's reach, as a GPU's would be.
#pragma once

#include <cstddef>

namespace fade::emulate {

/// 64-byte aligned; nullptr when more than the machine's memory would be in use.
void* allocate_memory(size_t bytes);
void release_memory(void* p);
size_t free_memory();

/// True iff host code that touches the device's memory is stopped: where processors have protection keys.
bool memory_is_guarded();
/// True iff p is in the device's memory.
bool in_memory(const void* p);

/// While it lives, the calling thread of the operating system may touch the device's memory: kernels, copies,
/// BLAS.
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
