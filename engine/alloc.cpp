#include "engine/alloc.h"

#include <sanitizer/asan_interface.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/error.h"

namespace fade {
namespace {

// Size classes, four per octave: 64, 80, 96, 112, 128, 160, ... bytes (class 3 on). At most a fifth of an
// allocation is unused.
constexpr size_t kSmallest = 64;
constexpr int kClasses = 4 * 48;

size_t bytes_of(int size_class) { return (size_t{5} + size_class % 4) << (size_class / 4 + 3); }

// The smallest class of at least `bytes`.
int class_of(size_t bytes) {
  const size_t last = std::max(bytes, kSmallest) - 1;
  const int shift = std::bit_width(last) - 3;  // last >> shift is 4, 5, 6 or 7
  return 4 * (shift - 4) + static_cast<int>(last >> shift);
}

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

struct Pool {
  SpinLock lock;
  MemoryStats stats;
  std::vector<void*> kept[kClasses];
};

// Never destroyed: tensors with static storage may be released after any static object.
Pool& pool(Device d) {
  static Pool* const pools = new Pool[kDevices];
  return pools[static_cast<int>(d)];
}

// trim_pool, for a caller that holds the lock.
void trim(Pool& pool, Device d) {
  for (int c = 0; c < kClasses; ++c) {
    for (void* p : pool.kept[c]) {
      allow(p, bytes_of(c), bytes_of(c));  // the system may hand it out again
      backend(d).release(p, bytes_of(c));
      pool.stats.system -= bytes_of(c);
    }
    pool.kept[c].clear();
  }
}

void* get_from_system(size_t bytes, int size_class, Pool& pool, Device d) {
  const DeviceBackend& b = backend(d);
  void* p = b.allocate(bytes_of(size_class));
  if (!p) {
    trim(pool, d);  // memory kept for other sizes may be enough
    p = b.allocate(bytes_of(size_class));
  }
  if (!p)
    fail(
        "{}: out of memory: requested {} bytes, {} live, peak {}, {} free "
        "(lower train.batch, model.block or model.max_span)",
        name_of(d), bytes, pool.stats.live, pool.stats.peak, b.free_bytes());
  pool.stats.system += bytes_of(size_class);
  return p;
}

}  // namespace

void* allocate(size_t bytes, Device d) {
  const int size_class = class_of(bytes);
  auto& [lock, stats, kept] = pool(d);
  const std::lock_guard guard(lock);
  void* p;
  if (auto& free = kept[size_class]; free.empty()) {
    p = get_from_system(bytes, size_class, pool(d), d);
  } else {
    p = free.back();
    free.pop_back();
  }
  allow(p, bytes, bytes_of(size_class));
  stats.live += bytes;
  stats.peak = std::max(stats.peak, stats.live);
  return p;
}

void release(void* p, size_t bytes, Device d) noexcept {
  const int size_class = class_of(bytes);
  auto& [lock, stats, kept] = pool(d);
  const std::lock_guard guard(lock);
  stats.live -= bytes;
  allow(p, 0, bytes_of(size_class));
  kept[size_class].push_back(p);
}

MemoryStats memory_stats(Device d) {
  const std::lock_guard guard(pool(d).lock);
  return pool(d).stats;
}

void reset_peak(Device d) {
  const std::lock_guard guard(pool(d).lock);
  pool(d).stats.peak = pool(d).stats.live;
}

void trim_pool(Device d) {
  const std::lock_guard guard(pool(d).lock);
  trim(pool(d), d);
}

}  // namespace fade
