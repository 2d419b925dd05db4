#include "engine/cuda/emulate/memory.h"

#include <sanitizer/asan_interface.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <map>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "engine/error.h"

namespace fade::emulate {
namespace {

constexpr size_t kAlign = 64;  // also the gap between allocations, which AddressSanitizer guards

size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

// A range of addresses, handed out from its beginning. Released allocations are used again for the same
// size only: the pool on top of this (engine/alloc.h) requests few different sizes, and releases only when
// memory is short.
class AddressRange {
 public:
  AddressRange()
      : page_(static_cast<size_t>(sysconf(_SC_PAGESIZE))),
        capacity_(static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * page_),
        size_(4 * capacity_) {
    void* p =
        ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) fail("cuda (emulated): {} bytes of address space: {}", size_, std::strerror(errno));
    begin_ = static_cast<std::byte*>(p);
    key_ = ::pkey_alloc(0, PKEY_DISABLE_ACCESS);  // −1 where the processor has no protection keys
    if (key_ >= 0 && ::pkey_mprotect(begin_, size_, PROT_READ | PROT_WRITE, key_) != 0) key_ = -1;
  }

  void* allocate(size_t bytes) {
    const size_t taken = round_up(bytes, kAlign) + kAlign;
    const std::lock_guard guard(lock_);
    if (taken > capacity_ - in_use_) return nullptr;
    auto& kept = free_[taken];
    void* p = nullptr;
    if (!kept.empty()) {
      p = kept.back();
      kept.pop_back();
    } else {
      if (taken > size_ - used_) return nullptr;
      p = begin_ + used_;
      used_ += taken;
      ASAN_POISON_MEMORY_REGION(begin_ + used_ - kAlign, kAlign);
    }
    in_use_ += taken;
    taken_[p] = taken;
    return p;
  }

  void release(void* p) {
    const std::lock_guard guard(lock_);
    const auto at = taken_.find(p);
    const size_t taken = at->second;
    taken_.erase(at);
    in_use_ -= taken;
    free_[taken].push_back(p);
    // Whole pages are returned to the system.
    const auto begin = reinterpret_cast<size_t>(p), first = round_up(begin, page_);
    const size_t end = (begin + taken) / page_ * page_;
    if (end > first) ::madvise(static_cast<std::byte*>(p) + (first - begin), end - first, MADV_DONTNEED);
  }

  size_t free() {
    const std::lock_guard guard(lock_);
    return capacity_ - in_use_;
  }
  bool holds(const void* p) const { return p >= begin_ && p < begin_ + size_; }
  int key() const { return key_; }

 private:
  size_t page_, capacity_, size_;
  std::byte* begin_ = nullptr;
  int key_ = -1;
  std::mutex lock_;
  size_t used_ = 0, in_use_ = 0;
  std::map<size_t, std::vector<void*>> free_;
  std::unordered_map<void*, size_t> taken_;
};

// Never destroyed: tensors with static storage may be released after any static object.
AddressRange& device_memory() {
  static AddressRange* const range = new AddressRange;
  return *range;
}

}  // namespace

void* allocate_memory(size_t bytes) {
  void* p = device_memory().allocate(bytes);
  const MemoryAccess access;
  if (p) std::memset(p, 0xff, bytes);  // NaN: a read before the first write shows in results
  return p;
}
void release_memory(void* p) { device_memory().release(p); }
size_t free_memory() { return device_memory().free(); }
bool memory_is_guarded() { return device_memory().key() >= 0; }
bool in_memory(const void* p) { return device_memory().holds(p); }

MemoryAccess::MemoryAccess() : before_(memory_is_guarded() ? ::pkey_get(device_memory().key()) : 0) {
  if (memory_is_guarded()) ::pkey_set(device_memory().key(), 0);
}
MemoryAccess::~MemoryAccess() {
  if (memory_is_guarded()) ::pkey_set(device_memory().key(), static_cast<unsigned>(before_));
}

}  // namespace fade::emulate
