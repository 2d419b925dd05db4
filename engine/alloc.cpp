#include "engine/alloc.h"

#include <sanitizer/asan_interface.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "engine/error.h"
#include "engine/memory_pool.h"

namespace fade {
namespace {

// Held for a few instructions. Because waiters yield, unlock is a plain store; with wait and notify it would
// check for sleeping threads each time.
class SpinLock {
 public:
  void lock() {
    while (flag_.test_and_set(std::memory_order_acquire)) std::this_thread::yield();
  }
  void unlock() { flag_.clear(std::memory_order_release); }

 private:
  std::atomic_flag flag_;
};

// For AddressSanitizer: of an allocation, only the first `bytes` may be accessed.
void allow([[maybe_unused]] void* p, [[maybe_unused]] size_t bytes, [[maybe_unused]] size_t allocated) {
  ASAN_UNPOISON_MEMORY_REGION(p, bytes);
  ASAN_POISON_MEMORY_REGION(static_cast<std::byte*>(p) + bytes, allocated - bytes);
}

// The device as the pool uses it: what is not allocated may not be accessed.
template <Device d>
DeviceBackend guarded() {
  DeviceBackend b = backend(d);
  b.allocate = [](size_t bytes) {
    void* p = backend(d).allocate(bytes);
    if (p) allow(p, 0, bytes);
    return p;
  };
  b.release = [](void* p, size_t bytes) {
    allow(p, bytes, bytes);  // the system may hand it out again
    backend(d).release(p, bytes);
  };
  return b;
}

struct Pool {
  SpinLock lock;
  MemoryStats stats;
  MemoryPool memory;
};

// Never destroyed: tensors with static storage may be released after any static object.
template <Device d>
Pool& pool_of() {
  static Pool* const pool = new Pool{.lock = {}, .stats = {}, .memory = MemoryPool(guarded<d>())};
  return *pool;
}

Pool& pool(Device d) { return d == Device::cpu ? pool_of<Device::cpu>() : pool_of<Device::cuda>(); }

[[noreturn]] void out_of_memory(size_t bytes, const Pool& pool, Device d) {
  const DeviceBackend& b = backend(d);
  const std::string reserve = b.reserve ? fmt::format(", {} of them for its driver", b.reserve) : "";
  fail(
      "{}: out of memory: requested {} bytes, {} live, peak {}, {} kept by the pool, {} free{} "
      "(lower train.batch, train.turns, model.block or model.max_span, or train with model.recompute)",
      name_of(d), bytes, pool.stats.live, pool.stats.peak,
      static_cast<int64_t>(pool.memory.taken()) - pool.stats.live, b.free_bytes(), reserve);
}

}  // namespace

void* allocate(size_t bytes, Device d) {
  Pool& pool = fade::pool(d);
  const std::lock_guard guard(pool.lock);
  void* p = pool.memory.allocate(bytes);
  if (!p) out_of_memory(bytes, pool, d);
  allow(p, bytes, MemoryPool::reserved(bytes));
  pool.stats.live += static_cast<int64_t>(bytes);
  pool.stats.peak = std::max(pool.stats.peak, pool.stats.live);
  return p;
}

void release(void* p, size_t bytes, Device d) noexcept {
  Pool& pool = fade::pool(d);
  const std::lock_guard guard(pool.lock);
  pool.stats.live -= static_cast<int64_t>(bytes);
  allow(p, 0, MemoryPool::reserved(bytes));
  pool.memory.release(p, bytes);
}

MemoryStats memory_stats(Device d) {
  Pool& pool = fade::pool(d);
  const std::lock_guard guard(pool.lock);
  MemoryStats stats = pool.stats;
  stats.system = static_cast<int64_t>(pool.memory.taken());
  return stats;
}

void reset_peak(Device d) {
  Pool& pool = fade::pool(d);
  const std::lock_guard guard(pool.lock);
  pool.stats.peak = pool.stats.live;
}

void trim_pool(Device d) {
  Pool& pool = fade::pool(d);
  const std::lock_guard guard(pool.lock);
  pool.memory.trim();
}

}  // namespace fade
