// What the compiler calls at each access to memory, in files that are compiled with -fsanitize=thread: the
// interface of ThreadSanitizer, whose own library is not linked. Only in builds with FADE_RACECHECK.
#include <cstdint>

#include "engine/cuda/emulate/races.h"

// NOLINTBEGIN: the names are the compiler's
#define FADE_ACCESS(bytes, ...) \
  fade::emulate::races::access(p, bytes, {__VA_ARGS__}, __builtin_return_address(0))
#define FADE_READ FADE_ACCESS
#define FADE_WRITE(bytes) FADE_ACCESS(bytes, .write = true)

#define FADE_PLAIN(n)                                      \
  void __tsan_read##n(void* p) { FADE_READ(n); }           \
  void __tsan_write##n(void* p) { FADE_WRITE(n); }         \
  void __tsan_unaligned_read##n(void* p) { FADE_READ(n); } \
  void __tsan_unaligned_write##n(void* p) { FADE_WRITE(n); }

// The order in memory that the caller asks for is never stronger than this one.
#define FADE_ORDER __ATOMIC_SEQ_CST
#define FADE_ATOMIC_READ(T) FADE_ACCESS(sizeof(T), .atomic = true)
#define FADE_ATOMIC_WRITE(T) FADE_ACCESS(sizeof(T), .write = true, .atomic = true)

#define FADE_UPDATE(T, bits, name)                     \
  T __tsan_atomic##bits##_##name(T* p, T value, int) { \
    FADE_ATOMIC_WRITE(T);                              \
    return __atomic_##name(p, value, FADE_ORDER);      \
  }
#define FADE_COMPARE_EXCHANGE(T, bits, name)                                                 \
  bool __tsan_atomic##bits##_compare_exchange_##name(T* p, T* expected, T value, int, int) { \
    FADE_ATOMIC_WRITE(T);                                                                    \
    return __atomic_compare_exchange_n(p, expected, value, false, FADE_ORDER, FADE_ORDER);   \
  }
#define FADE_ATOMIC(T, bits)                             \
  T __tsan_atomic##bits##_load(const T* p, int) {        \
    FADE_ATOMIC_READ(T);                                 \
    return __atomic_load_n(p, FADE_ORDER);               \
  }                                                      \
  void __tsan_atomic##bits##_store(T* p, T value, int) { \
    FADE_ATOMIC_WRITE(T);                                \
    __atomic_store_n(p, value, FADE_ORDER);              \
  }                                                      \
  T __tsan_atomic##bits##_exchange(T* p, T value, int) { \
    FADE_ATOMIC_WRITE(T);                                \
    return __atomic_exchange_n(p, value, FADE_ORDER);    \
  }                                                      \
  FADE_UPDATE(T, bits, fetch_add)                        \
  FADE_UPDATE(T, bits, fetch_sub)                        \
  FADE_UPDATE(T, bits, fetch_and)                        \
  FADE_UPDATE(T, bits, fetch_or)                         \
  FADE_UPDATE(T, bits, fetch_xor)                        \
  FADE_COMPARE_EXCHANGE(T, bits, strong)                 \
  FADE_COMPARE_EXCHANGE(T, bits, weak)

extern "C" {
void __tsan_init() {}
void __tsan_read_range(void* p, size_t bytes) { FADE_READ(bytes); }
void __tsan_write_range(void* p, size_t bytes) { FADE_WRITE(bytes); }
void __tsan_vptr_update(void** p, void*) { FADE_WRITE(sizeof *p); }
FADE_PLAIN(1)
FADE_PLAIN(2)
FADE_PLAIN(4)
FADE_PLAIN(8)
FADE_PLAIN(16)
FADE_ATOMIC(uint8_t, 8)
FADE_ATOMIC(uint16_t, 16)
FADE_ATOMIC(uint32_t, 32)
FADE_ATOMIC(uint64_t, 64)
void __tsan_atomic_thread_fence(int) {}
void __tsan_atomic_signal_fence(int) {}
}
// NOLINTEND
