// Elementwise operations of one tensor on device cuda, for .cu files.
#pragma once

#include "engine/cuda/map.h"
#include "ops/elementwise/elementwise_kernels.h"

namespace fade {

/// The value of one element, for map.
template <class F>
struct ForwardElement {
  F f;  ///< the functor
  /// f.forward(x).
  __device__ auto operator()(auto... x) const { return f.forward(x...); }
};

/// The gradient of one element, for map.
template <class F>
struct BackwardElement {
  F f;  ///< the functor
  /// f.backward(g, saved).
  __device__ auto operator()(auto g, auto saved) const { return f.backward(g, saved); }
};

/// y = f.forward(x).
template <class F>
void unary_forward_cuda(const F& f, const Tensor& x, Out y) {
  dispatch_float(x.dtype(), F::name, [&]<class T>() {
    map(F::name, ForwardElement<F>{f}, x.numel(), y.mutate<T>(), x.data<T>());
  });
}

/// dx = f.backward(g, saved).
template <class F>
void unary_backward_cuda(const F& f, const Tensor& g, const Tensor& saved, Out dx) {
  dispatch_float(g.dtype(), F::name, [&]<class T>() {
    const T* in = g.data<T>();
    map(F::name, BackwardElement<F>{f}, g.numel(), dx.mutate<T>(), in,
        F::saves == Saves::nothing ? in : saved.data<T>());
  });
}

/// Registers the kernels of F. Returns true so that it can initialise a static constant. The arguments are the
/// place of the call, for errors.
template <class F>
bool implement_unary_cuda(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  return unary_forward<F>.implement(Device::cuda, unary_forward_cuda<F>, file, line) &&
         unary_backward<F>.implement(Device::cuda, unary_backward_cuda<F>, file, line);
}

}  // namespace fade
