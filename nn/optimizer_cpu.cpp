#include <cmath>

#include "engine/parallel.h"
#include "nn/optimizer.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nn/optimizer_cpu.cpp"
#include "hwy/foreach_target.h"  // compiles this file again for each instruction set: the compiler vectorises the loops

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {
namespace {

constexpr int64_t kGrain = 1 << 14;  // scalars a thread takes at least

template <class T, class Rule>
void update(const OptimizerSlot& slot, const Rule& rule, T grad_scale, T l2) {
  constexpr bool two = Rule::states == 2;
  const Tensor grad = slot.value.grad();
  T* const __restrict p = slot.value.mutate<T>();
  const T* const __restrict g = grad.data<T>();
  T* const __restrict first = slot.state[0].mutate<T>();
  T* const __restrict second = two ? slot.state[1].mutate<T>() : nullptr;
  parallel_for(slot.value.numel(), kGrain, [=](int64_t begin, int64_t end) HWY_ATTR {
    for (int64_t i = begin; i < end; ++i) {
      T s[2] = {first[i], T{0}};
      if constexpr (two) s[1] = second[i];
      rule(p[i], g[i] * grad_scale + l2 * p[i], s);
      first[i] = s[0];
      if constexpr (two) second[i] = s[1];
    }
  });
}

template <class Rule>
void step_all(std::span<const OptimizerSlot> slots, const Rule& rule, const ScaledBy& scaled, double l2) {
  const double norm = scaled.norm ? *scaled.norm.data<double>() : 0;
  if (!std::isfinite(norm)) return;
  const double factor = scaled.scale.factor(norm);
  for (const OptimizerSlot& slot : slots)
    if (slot.value.grad())
      dispatch_float(slot.value.dtype(), "optimizer",
                     [&]<class T>() { update<T>(slot, rule, static_cast<T>(factor), static_cast<T>(l2)); });
}

void sgd(std::span<const OptimizerSlot> slots, const SgdRule& rule, const ScaledBy& scaled, double l2) {
  step_all(slots, rule, scaled, l2);
}
void adam(std::span<const OptimizerSlot> slots, const AdamRule& rule, const ScaledBy& scaled, double l2) {
  step_all(slots, rule, scaled, l2);
}
void adagrad(std::span<const OptimizerSlot> slots, const AdagradRule& rule, const ScaledBy& scaled,
             double l2) {
  step_all(slots, rule, scaled, l2);
}

void norm_of(std::span<const Tensor> grads, const Tensor& norm) {
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
namespace {

HWY_EXPORT(sgd);
HWY_EXPORT(adam);
HWY_EXPORT(adagrad);
HWY_EXPORT(norm_of);

using Slots = std::span<const OptimizerSlot>;

void run_sgd(Slots slots, const SgdRule& rule, const ScaledBy& scaled, double l2) {
  HWY_DYNAMIC_DISPATCH(sgd)(slots, rule, scaled, l2);
}
void run_adam(Slots slots, const AdamRule& rule, const ScaledBy& scaled, double l2) {
  HWY_DYNAMIC_DISPATCH(adam)(slots, rule, scaled, l2);
}
void run_adagrad(Slots slots, const AdagradRule& rule, const ScaledBy& scaled, double l2) {
  HWY_DYNAMIC_DISPATCH(adagrad)(slots, rule, scaled, l2);
}
void run_norm_of(std::span<const Tensor> grads, const Tensor& norm) {
  HWY_DYNAMIC_DISPATCH(norm_of)(grads, norm);
}

[[maybe_unused]] const bool registered = optimizer_kernel<SgdRule>.implement(Device::cpu, run_sgd) &&
                                         optimizer_kernel<AdamRule>.implement(Device::cpu, run_adam) &&
                                         optimizer_kernel<AdagradRule>.implement(Device::cpu, run_adagrad) &&
                                         grad_norm_kernel.implement(Device::cpu, run_norm_of);

}  // namespace
}  // namespace fade
#endif
