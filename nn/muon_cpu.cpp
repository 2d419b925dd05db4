#include "nn/muon_kernels.h"

namespace fade {
namespace {

void add_to_diagonal(double value, Out m) {
  dispatch_float(m.dtype(), "muon", [&]<class T>() {
    const int64_t k = m.size(2);
    T* const p = m.mutate<T>();
    for (int64_t row = 0; row < m.size(0) * k; ++row) p[row * k + row % k] += static_cast<T>(value);
  });
}

[[maybe_unused]] const bool registered = add_to_diagonal_kernel.implement(Device::cpu, add_to_diagonal);

}  // namespace
}  // namespace fade
