#include "engine/parallel.h"
#include "ops/expire_mask/expire_mask_kernels.h"

namespace fade {
namespace {

void forward_cpu(const Tensor& span, const Tensor& age, const SoftMask& attrs, Out m) {
  dispatch_float(span.dtype(), "expire_mask", [&]<class T>() {
    const int64_t B = m.size(0), G = m.size(1), M = m.size(2), L = m.size(3);
    const MaskFormula<T> mask = attrs.formula<T>(span);
    const int32_t* a = age.data<int32_t>();
    T* out = m.mutate<T>();
    parallel_rows(B * G * M, L, [&](int64_t query) {
      const int64_t row = query / (G * M) * L, head = query / M % G;
      const auto i = static_cast<int32_t>(query % M);
      for (int64_t j = 0; j < L; ++j)
        out[query * L + j] = mask.value_in_reach(a[row + j], mask.span_of(row + j, head), i);
    });
  });
}

void backward_cpu(const Tensor& g, const Tensor& span, const Tensor& age, const SoftMask& attrs, Out dspan) {
  dispatch_float(span.dtype(), "expire_mask", [&]<class T>() {
    const int64_t B = g.size(0), G = g.size(1), M = g.size(2), L = g.size(3);
    const MaskFormula<T> mask = attrs.formula<T>(span);
    const int32_t* a = age.data<int32_t>();
    const T* dm = g.data<T>();
    T* de = dspan.mutate<T>();
    parallel_rows(B * G * L, M, [&](int64_t n) {
      const int64_t head = n / L % G, row = n / (G * L) * L + n % L;
      de[n] = span_gradient(mask, mask.span_of(row, head), a[row], dm + n / L * M * L + n % L, L, M);
    });
  });
}

[[maybe_unused]] const bool registered = soft_mask_forward.implement(Device::cpu, forward_cpu) &&
                                         soft_mask_backward.implement(Device::cpu, backward_cpu);

}  // namespace
}  // namespace fade
