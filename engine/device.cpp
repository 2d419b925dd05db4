#include "engine/device.h"

#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "engine/error.h"

namespace fade {
namespace {

constexpr DeviceBackend kCpu = {
    .allocate = [](size_t bytes) { return std::aligned_alloc(64, (bytes + 63) / 64 * 64); },
    .release = [](void* p, size_t) { std::free(p); },
    .reclaim = [] {},
    .free_bytes = [] { return static_cast<size_t>(sysconf(_SC_AVPHYS_PAGES) * sysconf(_SC_PAGESIZE)); },
    .copy = [](void* dst, Device, const void* src, Device, size_t bytes) { std::memcpy(dst, src, bytes); },
    .zero = [](void* p, size_t bytes) { std::memset(p, 0, bytes); },
    .synchronize = [] {},
};

constinit const DeviceBackend* backends[kDevices] = {&kCpu, nullptr};

// What device cuda lacks. Asked once, and only when the device is used: looking for a GPU takes time.
const std::string& cuda_lacks() {
  static const std::string text = [] {
    const DeviceBackend* cuda = backends[static_cast<int>(Device::cuda)];
    return cuda ? cuda->missing()
                : "not part of this build (use --device cpu, in a program Device::cpu, "
                  "or build with the preset cuda: docs/cuda.md)";
  }();
  return text;
}

}  // namespace

const DeviceBackend& backend(Device d) {
  if (!has_backend(d)) refuse("device: {} is {}", name_of(d), cuda_lacks());
  return *backends[static_cast<int>(d)];
}

bool has_backend(Device d) { return d == Device::cpu || cuda_lacks().empty(); }

bool register_backend(Device d, const DeviceBackend& b) {
  backends[static_cast<int>(d)] = &b;
  return true;
}

}  // namespace fade
