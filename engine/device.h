// Devices, and what the engine needs of each: memory, copies and synchronisation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace fade {

/// Where a tensor's memory is and its operations run.
enum class Device : uint8_t {
  cpu,  ///< always there
  cuda  ///< an NVIDIA GPU, or its emulation on the CPU (docs/cuda.md)
};
inline constexpr int kDevices = 2;  ///< the number of devices

/// "cpu", "cuda".
constexpr const char* name_of(Device d) { return d == Device::cpu ? "cpu" : "cuda"; }

/// What a device provides. The CPU's is built in; another device registers its own before main() runs.
struct DeviceBackend {
  /// Empty when the device can be used on this machine; otherwise what is missing and a remedy. Called once,
  /// and never for the CPU.
  std::string (*missing)() = nullptr;
  void* (*allocate)(size_t bytes);         ///< raw memory, 64-byte aligned; nullptr when out of memory
  void (*release)(void* p, size_t bytes);  ///< what allocate(bytes) returned
  /// Waits until what was released is free for allocate, whatever its sizes were.
  void (*reclaim)();
  size_t (*free_bytes)();  ///< free memory: without what was released and not yet reclaimed
  size_t reserve = 0;      ///< bytes that large allocations leave free
  /// Copies between this device and another one, or within it; afterwards the host may read what it received.
  void (*copy)(void* dst, Device dst_device, const void* src, Device src_device, size_t bytes);
  void (*zero)(void* p, size_t bytes);  ///< sets all bytes to 0
  void (*synchronize)();                ///< waits for all work queued on the device
};

/// The backend of `d`. Throws InputError, with what is missing, when this build or machine has
/// no such device.
const DeviceBackend& backend(Device d);

/// True iff backend(d) would not throw.
bool has_backend(Device d);

/// Makes `d` available. Called once, from a static initializer of the backend's own file.
bool register_backend(Device d, const DeviceBackend& b);

}  // namespace fade
