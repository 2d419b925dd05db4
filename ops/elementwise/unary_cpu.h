// Elementwise operations of one tensor on the CPU.
#pragma once

#include "engine/parallel.h"
#include "ops/elementwise/elementwise_kernels.h"

namespace fade {

/// y = f.forward(x).
template <class F>
void unary_forward_cpu(const F& f, const Tensor& x, Out y) {
  dispatch_float(x.dtype(), F::name, [&]<class T>() {
    const T* in = x.data<T>();
    T* out = y.mutate<T>();
    parallel_elements(x.numel(), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) out[i] = f.forward(in[i]);
    });
  });
}

/// dx = f.backward(g, saved).
template <class F>
void unary_backward_cpu(const F& f, const Tensor& g, const Tensor& saved, Out dx) {
  dispatch_float(g.dtype(), F::name, [&]<class T>() {
    const T* in = g.data<T>();
    const T* v = F::saves == Saves::nothing ? in : saved.data<T>();
    T* out = dx.mutate<T>();
    parallel_elements(g.numel(), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) out[i] = f.backward(in[i], v[i]);
    });
  });
}

/// Registers the kernels of F. Returns true so that it can initialise a static constant. The arguments are the
/// place of the call, for errors.
template <class F>
bool implement_unary_cpu(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  return unary_forward<F>.implement(Device::cpu, unary_forward_cpu<F>, file, line) &&
         unary_backward<F>.implement(Device::cpu, unary_backward_cpu<F>, file, line);
}

}  // namespace fade
