// Element types, and the one place where a run-time type becomes a template argument.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/bf16.h"
#include "engine/error.h"

namespace fade {

/// The type of a tensor's elements.
enum class DType : uint8_t {
  f32,  ///< float
  f64,  ///< double
  i32,  ///< int32_t: indices, ages
  u8,   ///< uint8_t: bytes
  bf16  ///< bf16: activations of mixed precision (docs/cuda.md)
};

/// Of one element, in bytes.
constexpr size_t size_of(DType t) {
  constexpr size_t sizes[] = {4, 8, 4, 1, 2};
  return sizes[static_cast<int>(t)];
}

/// "f32", "f64", "i32", "u8", "bf16".
constexpr const char* name_of(DType t) {
  constexpr const char* names[] = {"f32", "f64", "i32", "u8", "bf16"};
  return names[static_cast<int>(t)];
}

/// The DType of a C++ type: float, double, int32_t, uint8_t or bf16. Others do not compile.
template <class T>
inline constexpr DType dtype_of = [] {
  static_assert(sizeof(T) == 0,
                "a tensor holds float, double, int32_t, uint8_t or bf16: convert the values first");
}();
/// Of float.
template <>
inline constexpr DType dtype_of<float> = DType::f32;
/// Of double.
template <>
inline constexpr DType dtype_of<double> = DType::f64;
/// Of int32_t.
template <>
inline constexpr DType dtype_of<int32_t> = DType::i32;
/// Of uint8_t.
template <>
inline constexpr DType dtype_of<uint8_t> = DType::u8;
/// Of bf16.
template <>
inline constexpr DType dtype_of<bf16> = DType::bf16;

/// Calls `f.template operator()<T>()` with the C++ type of a floating-point `t`. `who` names the caller in
/// the error: throws Error for i32, u8 and bf16. Each device's kernels do their own dispatch, so a type that only
/// one device has touches only that device's files.
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

/// The same for bf16, too: for kernels of the CUDA device, which compute in compute_t<T>.
template <class F>
decltype(auto) dispatch_stored_float(DType t, const char* who, F&& f) {
  if (t == DType::bf16) return f.template operator()<bf16>();
  return dispatch_float(t, who, f);
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
    case DType::bf16:
      return f.template operator()<bf16>();
    default:
      return f.template operator()<uint8_t>();
  }
}

}  // namespace fade
