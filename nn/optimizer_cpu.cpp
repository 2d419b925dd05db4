#include "engine/parallel.h"
#include "nn/optimizer.h"

namespace fade {
namespace {

constexpr int64_t kGrain = 1 << 14;

template <class T, class Rule>
void update(const OptimizerSlot& slot, const Rule& rule, T grad_scale, T l2) {
  T* p = slot.value.mutate<T>();
  const Tensor grad = slot.value.grad();
  const T* g = grad.data<T>();
  T* state[Rule::states];
  for (int s = 0; s < Rule::states; ++s) state[s] = slot.state[s].mutate<T>();
  parallel_for(slot.value.numel(), kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      T s[Rule::states];
      for (int k = 0; k < Rule::states; ++k) s[k] = state[k][i];
      rule(p[i], g[i] * grad_scale + l2 * p[i], s);
      for (int k = 0; k < Rule::states; ++k) state[k][i] = s[k];
    }
  });
}

template <class Rule>
void step_cpu(std::span<const OptimizerSlot> slots, const Rule& rule, double grad_scale, double l2) {
  for (const OptimizerSlot& slot : slots)
    if (slot.value.grad())
      dispatch_float(slot.value.dtype(), "optimizer", [&]<class T>() {
        update<T>(slot, rule, static_cast<T>(grad_scale), static_cast<T>(l2));
      });
}

void sum_of_squares_cpu(std::span<const Tensor> grads, double& total) {
  for (const Tensor& g : grads)
    dispatch_float(g.dtype(), "sum_of_squares", [&]<class T>() {
      const T* p = g.data<T>();
      double sum = 0;
      const int64_t n = g.numel();
#pragma omp simd reduction(+ : sum)
      for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(p[i]) * static_cast<double>(p[i]);
      total += sum;
    });
}

[[maybe_unused]] const bool registered =
    optimizer_kernel<SgdRule>.implement(Device::cpu, step_cpu<SgdRule>) &&
    optimizer_kernel<AdamRule>.implement(Device::cpu, step_cpu<AdamRule>) &&
    optimizer_kernel<AdagradRule>.implement(Device::cpu, step_cpu<AdagradRule>) &&
    sum_of_squares_kernel.implement(Device::cpu, sum_of_squares_cpu);

}  // namespace
}  // namespace fade
