#include "engine/parallel.h"
#include "ops/expire_mask/expire_mask.h"
#include "ops/expire_mask/soft_mask.h"

namespace fade {
namespace {

void forward_cpu(const Tensor& span, const Tensor& age, int ramp, const Tensor& m) {
  dispatch_float(span.dtype(), "expire_mask", [&]<class T>() {
    const int64_t B = m.size(0), M = m.size(1), L = m.size(2);
    const T* e = span.data<T>();
    const int32_t* a = age.data<int32_t>();
    T* out = m.mutate<T>();
    parallel_for(B * M, 16, [&](int64_t begin, int64_t end) {
      for (int64_t bi = begin; bi < end; ++bi) {
        const int64_t row = bi / M * L;
        const int32_t i = static_cast<int32_t>(bi % M);
        for (int64_t j = 0; j < L; ++j) out[bi * L + j] = soft_mask(e[row + j], a[row + j] + i, ramp);
      }
    });
  });
}

void backward_cpu(const Tensor& g, const Tensor& span, const Tensor& age, int ramp, const Tensor& dspan) {
  dispatch_float(span.dtype(), "expire_mask", [&]<class T>() {
    const int64_t B = g.size(0), M = g.size(1), L = g.size(2);
    const T *e = span.data<T>(), *dm = g.data<T>();
    const int32_t* a = age.data<int32_t>();
    T* de = dspan.mutate<T>();
    parallel_for(B * L, 64, [&](int64_t begin, int64_t end) {
      for (int64_t bj = begin; bj < end; ++bj) {
        const T* column = dm + bj / L * M * L + bj % L;
        T sum = 0;
        for (int32_t i = 0; i < M; ++i)
          if (under_ramp(e[bj], a[bj] + i, ramp)) sum += column[i * L];
        de[bj] = sum / static_cast<T>(ramp);
      }
    });
  });
}

[[maybe_unused]] const bool registered = expire_mask_forward.implement(Device::cpu, forward_cpu) &&
                                         expire_mask_backward.implement(Device::cpu, backward_cpu);

}  // namespace
}  // namespace fade
