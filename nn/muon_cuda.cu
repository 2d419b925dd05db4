#include "engine/cuda/cuda.h"
#include "nn/muon_kernels.h"

namespace fade {
namespace {

template <class T>
struct AddToDiagonal {
  T value;
  int64_t k;
  T* m;
  __device__ void operator()(int64_t row) const { m[row * k + row % k] += value; }
};

void add_to_diagonal(double value, Out m) {
  dispatch_float(m.dtype(), "muon", [&]<class T>() {
    launch_each("add_to_diagonal", m.size(0) * m.size(2),
                AddToDiagonal<T>{static_cast<T>(value), m.size(2), m.mutate<T>()});
  });
}

[[maybe_unused]] const bool registered = add_to_diagonal_kernel.implement(Device::cuda, add_to_diagonal);

}  // namespace
}  // namespace fade
