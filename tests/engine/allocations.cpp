#include "tests/engine/allocations.h"

#include "engine/alloc.h"

namespace fade::test {
namespace {

AllocationObserver* observer = nullptr;

}  // namespace

ObservingAllocations::ObservingAllocations(AllocationObserver& o) { observer = &o; }
ObservingAllocations::~ObservingAllocations() { observer = nullptr; }

// NOLINTBEGIN(bugprone-reserved-identifier): the names that the linker's --wrap needs, of fade::allocate and
// fade::release as the compiler writes them
extern "C" {

void* __real__ZN4fade8allocateEmNS_6DeviceE(size_t bytes, Device d);
void __real__ZN4fade7releaseEPvmNS_6DeviceE(void* p, size_t bytes, Device d) noexcept;

void* __wrap__ZN4fade8allocateEmNS_6DeviceE(size_t bytes, Device d) {
  void* p = __real__ZN4fade8allocateEmNS_6DeviceE(bytes, d);
  if (observer) observer->on_allocate(p, bytes);
  return p;
}
void __wrap__ZN4fade7releaseEPvmNS_6DeviceE(void* p, size_t bytes, Device d) noexcept {
  if (observer) observer->on_release(p);
  __real__ZN4fade7releaseEPvmNS_6DeviceE(p, bytes, d);
}

}  // extern "C"
// NOLINTEND(bugprone-reserved-identifier)

}  // namespace fade::test
