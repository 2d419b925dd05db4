#include "engine/memory_pool.h"

namespace fade {

void* MemoryPool::take(size_t bytes) {
  return bytes < kLarge ? device_.take(reserved(bytes)) : segments_.allocate(reserved(bytes));
}

void* MemoryPool::allocate_new(size_t bytes) {
  static_assert(class_of(kLarge) == kClasses - 1);
  if (void* p = take(bytes)) return p;
  trim();  // memory that is kept for other sizes may be enough
  return take(bytes);
}

void MemoryPool::trim() {
  for (int c = 0; c < kClasses; ++c) {
    for (void* p : kept_[c]) device_.give_back(p, bytes_of(c));
    kept_[c].clear();
  }
  segments_.give_back_empty();
  device_.reclaim();
}

}  // namespace fade
