// Device::cuda, emulated. A launch returns when the kernel is done, so there is nothing to wait for.
#include "engine/device.h"

#include <cstring>
#include <utility>

#include "engine/cuda/cuda.h"
#include "engine/cuda/emulate/memory.h"
#include "engine/cuda/emulate/report.h"
#include "engine/error.h"

namespace fade {
namespace {

using emulate::MemoryAccess;

IndexError index_error{};

void synchronize() {
  if (!index_error.set) return;
  refuse_index(std::exchange(index_error, {}).found);
}

void copy(void* dst, Device dst_device, const void* src, Device, size_t bytes) {
  if (dst_device == Device::cpu) synchronize();
  const MemoryAccess access;
  std::memcpy(dst, src, bytes);
}

void zero(void* p, size_t bytes) {
  const MemoryAccess access;
  std::memset(p, 0, bytes);
}

constexpr DeviceBackend kEmulated = {
    .missing =
        [] {
          emulate::report_crashes();
          return std::string();
        },
    .allocate = emulate::allocate_memory,
    .release = emulate::release_memory,
    .reclaim = [] {},
    .free_bytes = emulate::free_memory,
    .copy = copy,
    .zero = zero,
    .synchronize = synchronize,
};

[[maybe_unused]] const bool registered = register_backend(Device::cuda, kEmulated);

}  // namespace

IndexCheck index_check(const char* op, const char* what, int64_t lowest) {
  return {&index_error, op, what, lowest};
}

}  // namespace fade
