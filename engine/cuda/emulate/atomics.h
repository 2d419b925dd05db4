// CUDA's atomics on integers. Those on floating-point numbers are left out on purpose: the order of additions
// would differ from run to run.
#pragma once

#include <type_traits>

// NOLINTBEGIN: the names are CUDA's
template <class T>
T atomicAdd(T* p, std::type_identity_t<T> value) {
  static_assert(std::is_integral_v<T>, "sums of floating-point numbers need a fixed order");
  return __atomic_fetch_add(p, value, __ATOMIC_RELAXED);
}
template <class T>
T atomicSub(T* p, std::type_identity_t<T> value) {
  static_assert(std::is_integral_v<T>, "sums of floating-point numbers need a fixed order");
  return __atomic_fetch_sub(p, value, __ATOMIC_RELAXED);
}
template <class T>
T atomicAnd(T* p, std::type_identity_t<T> value) {
  return __atomic_fetch_and(p, value, __ATOMIC_RELAXED);
}
template <class T>
T atomicOr(T* p, std::type_identity_t<T> value) {
  return __atomic_fetch_or(p, value, __ATOMIC_RELAXED);
}
template <class T>
T atomicExch(T* p, std::type_identity_t<T> value) {
  return __atomic_exchange_n(p, value, __ATOMIC_RELAXED);
}
template <class T>
T atomicCAS(T* p, std::type_identity_t<T> expected, std::type_identity_t<T> value) {
  __atomic_compare_exchange_n(p, &expected, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
  return expected;
}
template <class T>
T atomicMin(T* p, std::type_identity_t<T> value) {
  T old = __atomic_load_n(p, __ATOMIC_RELAXED);
  while (value < old &&
         !__atomic_compare_exchange_n(p, &old, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
  return old;
}
template <class T>
T atomicMax(T* p, std::type_identity_t<T> value) {
  T old = __atomic_load_n(p, __ATOMIC_RELAXED);
  while (old < value &&
         !__atomic_compare_exchange_n(p, &old, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
  return old;
}
// NOLINTEND
