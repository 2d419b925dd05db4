#include "engine/cuda/emulate/memory.h"

#include <sanitizer/asan_interface.h>
#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <shared_mutex>

#include "engine/cuda/emulate/races.h"
#include "engine/error.h"

namespace fade::emulate {
namespace {

constexpr size_t kGap = 64;  // behind each allocation: AddressSanitizer guards it

std::atomic<size_t> in_use{0};

/// The size of each allocation, by its address.
struct Allocations {
  std::shared_mutex mutex;
  std::map<uintptr_t, size_t> sizes;
};
Allocations& allocations() {
  static auto* const all = new Allocations;  // tensors with static storage are released after it would be
  return *all;
}

// The protection key of the device's memory; −1 where the processor has none.
int key() {
  static const int allocated = ::pkey_alloc(0, PKEY_DISABLE_ACCESS);
  return allocated;
}

}  // namespace

// The pool on top of this (engine/memory_pool.h) keeps what is released, so that each allocation can be a
// mapping of its own.
void* allocate_memory(size_t bytes) {
  if (bytes + kGap > free_memory()) return nullptr;
  void* p = ::mmap(nullptr, bytes + kGap, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
  if (p == MAP_FAILED) return nullptr;
  if (memory_is_guarded() && ::pkey_mprotect(p, bytes + kGap, PROT_READ | PROT_WRITE, key()) != 0)
    fail("cuda (emulated): memory cannot be guarded: {}", std::strerror(errno));
  in_use += bytes + kGap;
  {
    const std::lock_guard lock(allocations().mutex);
    allocations().sizes[reinterpret_cast<uintptr_t>(p)] = bytes;
  }
  if constexpr (kRacecheck) races::add_memory(p, bytes);
  ASAN_POISON_MEMORY_REGION(static_cast<std::byte*>(p) + bytes, kGap);
  if (bytes <= kFilled) {
    const MemoryAccess access;
    std::memset(p, 0xff, bytes);  // NaN: a read before the first write shows in results
  }
  return p;
}

void release_memory(void* p, size_t bytes) {
  ASAN_UNPOISON_MEMORY_REGION(p, bytes + kGap);  // the system may hand it out again
  if constexpr (kRacecheck) races::remove_memory(p, bytes);
  {
    const std::lock_guard lock(allocations().mutex);
    allocations().sizes.erase(reinterpret_cast<uintptr_t>(p));
  }
  ::munmap(p, bytes + kGap);
  in_use -= bytes + kGap;
}

size_t free_memory() { return kMemory - in_use; }

bool is_device_memory(const void* p, size_t bytes) {
  const auto first = reinterpret_cast<uintptr_t>(p);
  const std::shared_lock lock(allocations().mutex);
  auto after = allocations().sizes.upper_bound(first);
  if (after == allocations().sizes.begin()) return false;
  const auto& [start, size] = *--after;
  return first - start < size && bytes <= size - (first - start);
}

bool memory_is_guarded() { return key() >= 0; }

MemoryAccess::MemoryAccess() : before_(memory_is_guarded() ? ::pkey_get(key()) : 0) {
  if (memory_is_guarded()) ::pkey_set(key(), 0);
}
MemoryAccess::~MemoryAccess() {
  if (memory_is_guarded()) ::pkey_set(key(), static_cast<unsigned>(before_));
}

}  // namespace fade::emulate
