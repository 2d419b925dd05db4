// The memory of a device, for tensors: what they release is kept and handed out again.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <vector>

#include "engine/segments.h"

namespace fade {

/// A pool. Not for several threads at once.
///
/// An allocation below kLarge is a block of its own, of one of a few sizes; a released block waits for the next
/// allocation of its size. Larger ones are parts of segments (engine/segments.h).
class MemoryPool {
 public:
  static constexpr size_t kLarge = size_t{1} << 20;  ///< bytes

  /// Empty.
  explicit MemoryPool(const DeviceBackend& device) : device_(device), segments_(device_) {}

  /// nullptr when the device has no more memory, even after trim.
  void* allocate(size_t bytes) {
    if (bytes < kLarge) {
      std::vector<void*>& kept = kept_[class_of(bytes)];
      if (!kept.empty()) {
        void* p = kept.back();
        kept.pop_back();
        return p;
      }
    }
    return allocate_new(bytes);
  }
  /// Returns the memory that allocate(bytes) returned.
  void release(void* p, size_t bytes) {
    if (bytes < kLarge)
      kept_[class_of(bytes)].push_back(p);
    else
      segments_.release(p, reserved(bytes));
  }
  /// Gives everything that is not in use back to the device, and waits until it is free there.
  void trim();

  /// Bytes taken from the device, in use or kept.
  size_t taken() const { return device_.taken(); }
  /// The bytes that allocate(bytes) sets aside; those behind the first `bytes` are unused.
  static size_t reserved(size_t bytes) {
    return bytes < kLarge ? bytes_of(class_of(bytes)) : (bytes + kPage) / kPage * kPage;
  }

 private:
  // Large allocations are multiples of a page, with at least one unused byte at the end: AddressSanitizer finds
  // accesses to it.
  static constexpr size_t kPage = 4096;

  // Size classes, four per octave: 64, 80, 96, 112, 128, 160, ... bytes (class 3 on). At most a fifth of an
  // allocation is unused.
  static constexpr size_t kSmallest = 64;
  static constexpr int kClasses = 60;
  static constexpr size_t bytes_of(int size_class) {
    return (size_t{5} + size_class % 4) << (size_class / 4 + 3);
  }
  // The smallest class of at least `bytes`.
  static constexpr int class_of(size_t bytes) {
    const size_t last = std::max(bytes, kSmallest) - 1;
    const int shift = std::bit_width(last) - 3;  // last >> shift is 4, 5, 6 or 7
    return 4 * (shift - 4) + static_cast<int>(last >> shift);
  }

  void* allocate_new(size_t bytes);
  void* take(size_t bytes);

  DeviceMemory device_;
  Segments segments_;
  std::vector<void*> kept_[kClasses];
};

}  // namespace fade
