#include <algorithm>

#include "ops/dropout/dropout_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/dropout/dropout_cpu.cpp"
#include "hwy/foreach_target.h"  // compiles this file again for each instruction set

#include "ops/dropout/dropout-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {
namespace {

void apply(const Tensor& x, const DropoutMask& mask, Out y) {
  dispatch_float(x.dtype(), "dropout", [&]<class T>() HWY_ATTR {
    const T* in = x.data<T>();
    T* out = y.mutate<T>();
    const int64_t n = x.numel();
    parallel_rows((n + kDropoutChunk - 1) / kDropoutChunk, kDropoutChunk, [&](int64_t chunk) HWY_ATTR {
      const int64_t first = chunk * kDropoutChunk, count = std::min(kDropoutChunk, n - first);
      HWY_ALIGN T factors[kDropoutChunk];
      dropout_factors(mask, first, count, factors);
      for_each_vector<T>(count, [&](auto d, int64_t i) HWY_ATTR {
        hn::StoreU(drop(d, hn::LoadU(d, in + first + i), factors + i), d, out + first + i);
      });
    });
  });
}

}  // namespace
}  // namespace fade::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fade {

FADE_SIMD_KERNEL(dropout_kernel, apply);

}  // namespace fade
#endif
