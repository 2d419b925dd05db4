#include "engine/alloc.h"

#include <sanitizer/asan_interface.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <thread>
#include <vector>

#include "engine/error.h"

namespace fade {
namespace {

// Four size classes per octave (64, 80, 96, 112, 128, 160, ...): at most a fifth of an allocation is unused.
constexpr size_t kSmallest = 64;
constexpr int kClasses = 4 * 48;

struct SizeClass {
  int index;
  size_t bytes;
};

SizeClass class_of(size_t bytes) {
  const size_t n = std::max(bytes, kSmallest);
  const int octave = std::bit_width(n - 1) - 1;  // 2^octave < n <= 2^(octave+1)
  const size_t quarter = (size_t{1} << octave) / 4;
  const size_t steps = (n - (size_t{1} << octave) + quarter - 1) / quarter;  // 1..4
  return {4 * (octave - 5) + static_cast<int>(steps) - 1, (size_t{1} << octave) + steps * quarter};
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

struct Guard {
  explicit Guard(SpinLock& l) : lock(l) { lock.lock(); }
  ~Guard() { lock.unlock(); }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;
  SpinLock& lock;
};

// For AddressSanitizer: of an allocation, only the first `bytes` may be accessed.
void allow([[maybe_unused]] void* p, [[maybe_unused]] size_t bytes, [[maybe_unused]] size_t allocated) {
  ASAN_UNPOISON_MEMORY_REGION(p, bytes);
  ASAN_POISON_MEMORY_REGION(static_cast<std::byte*>(p) + bytes, allocated - bytes);
}

class Pool {
 public:
  explicit Pool(Device d) : device_(d) {}

  void* get(size_t bytes) {
    const SizeClass c = class_of(bytes);
    const Guard guard(lock_);
    auto& kept = free_[c.index];
    void* p;
    if (kept.empty()) {
      p = get_from_system(bytes, c);
    } else {
      p = kept.back();
      kept.pop_back();
    }
    allow(p, bytes, c.bytes);
    stats_.live += bytes;
    stats_.peak = std::max(stats_.peak, stats_.live);
    return p;
  }

  void put(void* p, size_t bytes) {
    const SizeClass c = class_of(bytes);
    const Guard guard(lock_);
    stats_.live -= bytes;
    allow(p, 0, c.bytes);
    free_[c.index].push_back(p);
  }

  MemoryStats stats() {
    const Guard guard(lock_);
    return stats_;
  }
  void reset_peak() {
    const Guard guard(lock_);
    stats_.peak = stats_.live;
  }
  void trim() {
    const Guard guard(lock_);
    trim_locked();
  }

 private:
  void* get_from_system(size_t bytes, SizeClass c) {
    const DeviceBackend& b = backend(device_);
    void* p = b.allocate(c.bytes);
    if (!p) {
      trim_locked();  // memory kept for other sizes may be enough
      p = b.allocate(c.bytes);
    }
    if (!p)
      fail(
          "{}: out of memory: requested {} bytes, {} live, peak {}, {} free "
          "(lower train.batch, model.block or model.max_span)",
          name_of(device_), bytes, stats_.live, stats_.peak, b.free_bytes());
    stats_.system += c.bytes;
    return p;
  }

  void trim_locked() {
    for (int i = 0; i < kClasses; ++i) {
      const size_t bytes = (size_t{1} << (i / 4 + 5)) / 4 * (i % 4 + 5);
      for (void* p : free_[i]) {
        allow(p, bytes, bytes);  // the system may hand it out again
        backend(device_).release(p);
        stats_.system -= bytes;
      }
      free_[i].clear();
    }
  }

  Device device_;
  SpinLock lock_;
  MemoryStats stats_;
  std::vector<void*> free_[kClasses];
};

// Never destroyed: tensors with static storage may be released after any static object.
Pool& pool(Device d) {
  static Pool* pools[kDevices] = {new Pool(Device::cpu), new Pool(Device::cuda)};
  return *pools[static_cast<int>(d)];
}

}  // namespace

void* allocate(size_t bytes, Device d) { return pool(d).get(bytes); }
void release(void* p, size_t bytes, Device d) noexcept { pool(d).put(p, bytes); }
MemoryStats memory_stats(Device d) { return pool(d).stats(); }
void reset_peak(Device d) { pool(d).reset_peak(); }
void trim_pool(Device d) { pool(d).trim(); }

}  // namespace fade
