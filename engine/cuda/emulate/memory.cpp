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

constexpr size_t kAlign = 64;  // also the gap between blocks, which AddressSanitizer watches

size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

// One range of addresses, handed out from its beginning. Blocks that come back are used again for the same
// size: the pool above (engine/alloc.h) asks for few different ones, and gives back only when memory is
// short.
class Arena {
 public:
  Arena()
      : page_(static_cast<size_t>(sysconf(_SC_PAGESIZE))),
        capacity_(static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * page_),
        size_(4 * capacity_) {
    void* p =
        ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) fail("cuda (emulated): {} bytes of addresses: {}", size_, std::strerror(errno));
    begin_ = static_cast<std::byte*>(p);
    key_ = ::pkey_alloc(0, PKEY_DISABLE_ACCESS);  // −1 where there are none
    if (key_ >= 0 && ::pkey_mprotect(begin_, size_, PROT_READ | PROT_WRITE, key_) != 0) key_ = -1;
  }

  void* allocate(size_t bytes) {
    const size_t block = round_up(bytes, kAlign) + kAlign;
    const std::lock_guard guard(lock_);
    if (block > capacity_ - in_use_) return nullptr;
    auto& kept = free_[block];
    void* p = nullptr;
    if (!kept.empty()) {
      p = kept.back();
      kept.pop_back();
    } else {
      if (block > size_ - used_) return nullptr;
      p = begin_ + used_;
      used_ += block;
      ASAN_POISON_MEMORY_REGION(begin_ + used_ - kAlign, kAlign);
    }
    in_use_ += block;
    blocks_[p] = block;
    return p;
  }

  void release(void* p) {
    const std::lock_guard guard(lock_);
    const auto at = blocks_.find(p);
    const size_t block = at->second;
    blocks_.erase(at);
    in_use_ -= block;
    free_[block].push_back(p);
    // Whole pages go back to the system.
    const auto begin = reinterpret_cast<size_t>(p), first = round_up(begin, page_);
    const size_t end = (begin + block) / page_ * page_;
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
  std::unordered_map<void*, size_t> blocks_;
};

// Never destroyed: tensors with static storage may be released after any static object.
Arena& arena() {
  static Arena* const a = new Arena;
  return *a;
}

}  // namespace

void* allocate_memory(size_t bytes) {
  void* p = arena().allocate(bytes);
  const MemoryAccess access;
  if (p) std::memset(p, 0xff, bytes);  // NaN: what is read before it is written is noticed
  return p;
}
void release_memory(void* p) { arena().release(p); }
size_t free_memory() { return arena().free(); }
bool memory_is_guarded() { return arena().key() >= 0; }
bool in_memory(const void* p) { return arena().holds(p); }

MemoryAccess::MemoryAccess() : before_(memory_is_guarded() ? ::pkey_get(arena().key()) : 0) {
  if (memory_is_guarded()) ::pkey_set(arena().key(), 0);
}
MemoryAccess::~MemoryAccess() {
  if (memory_is_guarded()) ::pkey_set(arena().key(), static_cast<unsigned>(before_));
}

}  // namespace fade::emulate
