#include "engine/device.h"

#include <cstdlib>
#include <cstring>

#include "engine/error.h"

namespace fade {
namespace {

constexpr DeviceBackend kCpu = {
    .allocate = [](size_t bytes) { return std::aligned_alloc(64, (bytes + 63) / 64 * 64); },
    .release = [](void* p) { std::free(p); },
    .copy = [](void* dst, Device, const void* src, Device, size_t bytes) { std::memcpy(dst, src, bytes); },
    .zero = [](void* p, size_t bytes) { std::memset(p, 0, bytes); },
    .synchronize = [] {},
};

constinit const DeviceBackend* backends[kDevices] = {&kCpu, nullptr};

}  // namespace

const DeviceBackend& backend(Device d) {
  const DeviceBackend* b = backends[static_cast<int>(d)];
  if (!b) refuse("device: {} is not part of this build (use --device cpu)", name_of(d));
  return *b;
}

bool has_backend(Device d) { return backends[static_cast<int>(d)] != nullptr; }

bool register_backend(Device d, const DeviceBackend& b) {
  backends[static_cast<int>(d)] = &b;
  return true;
}

}  // namespace fade
