// Tensors compared bit by bit.
#pragma once

#include <string_view>

#include "engine/tensor.h"

namespace fade::test {

/// True iff type, shape and every bit of the values are the same, on any device.
inline bool identical(const Tensor& a, const Tensor& b) {
  const Tensor x = a.to(Device::cpu), y = b.to(Device::cpu);
  const auto bytes = [](const Tensor& t) {
    return std::string_view(static_cast<const char*>(t.data_bytes()), t.size_bytes());
  };
  return x.dtype() == y.dtype() && x.shape() == y.shape() && bytes(x) == bytes(y);
}

}  // namespace fade::test
