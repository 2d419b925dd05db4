// Kernels that only move elements: they are made for each size of an element, not for each type.
#pragma once

#include "engine/tensor.h"

namespace fade {

/// Calls `f.template operator()<U>()` with the unsigned integer U of the size of an element of type `t`.
template <class F>
void dispatch_size(DType t, const F& f) {
  switch (size_of(t)) {
    case 1:
      return f.template operator()<uint8_t>();
    case 2:
      return f.template operator()<uint16_t>();
    case 4:
      return f.template operator()<uint32_t>();
    default:
      return f.template operator()<uint64_t>();
  }
}

/// The memory of x in units of U, for reading; null for an empty Tensor.
template <class U>
const U* read_as(const Tensor& x) {
  return x ? static_cast<const U*>(x.data_bytes()) : nullptr;
}
/// The same for writing.
template <class U>
U* write_as(const Tensor& x) {
  return static_cast<U*>(x.mutate_bytes());
}

}  // namespace fade
