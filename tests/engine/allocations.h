// The allocations of the pools (engine/alloc.h), which a test can watch. The test program is linked with
// --wrap for allocate and release (tests/CMakeLists.txt).
#pragma once

#include <cstddef>

namespace fade::test {

/// Is told of every allocation of this process. Called by one thread at a time.
class AllocationObserver {
 public:
  virtual ~AllocationObserver() = default;
  virtual void on_allocate(const void* p, size_t bytes) = 0;  ///< it has been made
  virtual void on_release(const void* p) = 0;                 ///< it is about to end
};

/// While in scope, `observer` is told. One at a time.
class ObservingAllocations {
 public:
  explicit ObservingAllocations(AllocationObserver& observer);
  ~ObservingAllocations();
  ObservingAllocations(const ObservingAllocations&) = delete;
  ObservingAllocations& operator=(const ObservingAllocations&) = delete;
};

}  // namespace fade::test
