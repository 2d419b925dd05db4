#include "engine/parallel.h"
#include "ops/dropout/dropout_kernels.h"

namespace fade {
namespace {

void apply(const Tensor& x, const DropoutMask& mask, Out y) {
  dispatch_float(x.dtype(), "dropout", [&]<class T>() {
    const T* in = x.data<T>();
    T* out = y.mutate<T>();
    const T factor = static_cast<T>(mask.factor);
    const int64_t n = x.numel();
    parallel_rows((n + 3) / 4, 4, [&](int64_t group) {
      const uint32_t kept = mask.kept(static_cast<uint64_t>(group));
      for (int64_t i = 4 * group; i < std::min(4 * group + 4, n); ++i)
        out[i] = kept >> (i - 4 * group) & 1 ? factor * in[i] : T{0};
    });
  });
}

[[maybe_unused]] const bool registered = dropout_kernel.implement(Device::cpu, apply);

}  // namespace
}  // namespace fade
