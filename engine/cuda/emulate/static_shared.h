// Where static shared memory is: __shared__ is a storage class of C++ here (types.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace fade::emulate {

/// The `size` bytes from `first` on.
struct Range {
  uintptr_t first = 0;
  size_t size = 0;
  bool holds(uintptr_t p, size_t bytes = 1) const { return p - first < size && bytes <= size - (p - first); }
};

/// All memory of the storage class of __shared__, for the calling thread of the operating system.
std::vector<Range> static_shared_memory();

}  // namespace fade::emulate
