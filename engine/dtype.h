// Element types, and the one place where a run-time type becomes a template argument.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/error.h"

namespace fade {

enum class DType : uint8_t { f32, f64, i32, u8 };

constexpr size_t size_of(DType t) { return t == DType::f64 ? 8 : t == DType::u8 ? 1 : 4; }

constexpr const char* name_of(DType t) {
  constexpr const char* names[] = {"f32", "f64", "i32", "u8"};
  return names[static_cast<int>(t)];
}

template <class T>
inline constexpr DType dtype_of = [] { static_assert(sizeof(T) == 0, "no DType for this C++ type"); }();
template <>
inline constexpr DType dtype_of<float> = DType::f32;
template <>
inline constexpr DType dtype_of<double> = DType::f64;
template <>
inline constexpr DType dtype_of<int32_t> = DType::i32;
template <>
inline constexpr DType dtype_of<uint8_t> = DType::u8;

/// Calls `f.template operator()<T>()` with the C++ type of a floating-point `t`. `who` names the caller in
/// the error. Each device's kernels do their own dispatch, so a type that only one device has touches only
/// that device's files.
template <class F>
decltype(auto) dispatch_float(DType t, const char* who, F&& f) {
  switch (t) {
    case DType::f32:
      return f.template operator()<float>();
    case DType::f64:
      return f.template operator()<double>();
    default:
      fail("{}: got a tensor of {}, needs f32 or f64 (convert with .to(DType::f32))", who, name_of(t));
  }
}

/// The same for every type.
template <class F>
decltype(auto) dispatch_any(DType t, F&& f) {
  switch (t) {
    case DType::f32:
      return f.template operator()<float>();
    case DType::f64:
      return f.template operator()<double>();
    case DType::i32:
      return f.template operator()<int32_t>();
    default:
      return f.template operator()<uint8_t>();
  }
}

}  // namespace fade
