#include <cmath>

#include "nn/optimizer.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nn/optimizer_cpu.cpp"
#include "hwy/foreach_target.h"  // compiles this file again for each instruction set: the compiler vectorises the loops

#include "engine/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {
namespace {

template <class T, class Rule>
void update(const OptimizerSlot& slot, const Rule& rule, T grad_scale, T l2) {
  constexpr bool two = Rule::states == 2;
  T* const __restrict p = slot.value.mutate<T>();
  const T* const __restrict g = slot.grad.data<T>();
  T* const __restrict first = slot.state[0].mutate<T>();
  T* const __restrict second = two ? slot.state[1].mutate<T>() : nullptr;
  parallel_elements(slot.value.numel(), [=](int64_t begin, int64_t end) HWY_ATTR {
    for (int64_t i = begin; i < end; ++i) {
      T s[2] = {first[i], T{0}};
      if constexpr (two) s[1] = second[i];
      rule(p[i], g[i] * grad_scale + l2 * p[i], s);
      first[i] = s[0];
      if constexpr (two) second[i] = s[1];
    }
  });
}

void step(std::span<const OptimizerSlot> slots, const OptimizerRule& rule, const GradScale& scale,
          const Tensor& norm, double l2) {
  const double of_all = norm ? *norm.data<double>() : 0;
  if (!std::isfinite(of_all)) return;
  const double factor = scale.factor(of_all);
  for (const OptimizerSlot& slot : slots)
    dispatch_float(slot.value.dtype(), "optimizer", [&]<class T>() {
      std::visit([&](const auto& r) { update<T>(slot, r, static_cast<T>(factor), static_cast<T>(l2)); },
                 rule);
    });
}

void norm_of(std::span<const Tensor> grads, Out norm) {
  double total = 0;
  for (const Tensor& grad : grads)
    dispatch_float(grad.dtype(), "grad_norm", [&]<class T>() HWY_ATTR {
      const T* g = grad.data<T>();
      const int64_t n = grad.numel();
      double sum = 0;
#pragma omp simd reduction(+ : sum)
      for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(g[i]) * static_cast<double>(g[i]);
      total += sum;
    });
  *norm.mutate<double>() = std::sqrt(total);
}

}  // namespace
}  // namespace fade::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fade {

FADE_SIMD_KERNEL(optimizer_kernel, step);
FADE_SIMD_KERNEL(grad_norm_kernel, norm_of);

}  // namespace fade
#endif
