// The emulated device's memory is the host's.
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <utility>

#include "engine/cuda.h"
#include "engine/device.h"
#include "engine/error.h"

namespace fade {
namespace {

size_t free_bytes() {
  return static_cast<size_t>(sysconf(_SC_AVPHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

IndexError index_error{};

void synchronize() {
  if (!index_error.set) return;
  const IndexError e = std::exchange(index_error, {});
  refuse("{}: index {} is not within [0, {})", e.who, e.index, e.size);
}

constexpr DeviceBackend kEmulated = {
    .missing = [] { return std::string(); },
    .allocate = [](size_t bytes) -> void* {
      return bytes > free_bytes() ? nullptr : std::aligned_alloc(64, (bytes + 63) / 64 * 64);
    },
    .release = [](void* p) { std::free(p); },
    .free_bytes = free_bytes,
    .copy =
        [](void* dst, Device dst_device, const void* src, Device, size_t bytes) {
          if (dst_device == Device::cpu) synchronize();
          std::memcpy(dst, src, bytes);
        },
    .zero = [](void* p, size_t bytes) { std::memset(p, 0, bytes); },
    .synchronize = synchronize,
};

[[maybe_unused]] const bool registered = register_backend(Device::cuda, kEmulated);

}  // namespace

IndexCheck index_check(const char* who) { return {&index_error, who}; }

}  // namespace fade
