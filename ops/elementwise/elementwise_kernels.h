// Kernels of the elementwise operations: one family per shape of operation,
// one kernel of it per functor of elementwise_math.h.
#pragma once

#include "engine/kernel.h"
#include "ops/elementwise/functor.h"

namespace fade {

/// y = f.forward(x).
template <class F>
inline constinit Kernel<void(const F& f, const Tensor& x, Out y)> unary_forward{F::name};
/// dx = f.backward(g, saved), `saved` as F::saves says; no tensor for Saves::nothing.
template <class F>
inline constinit Kernel<void(const F& f, const Tensor& g, const Tensor& saved, Out dx)> unary_backward{
    F::name};
/// y = f.forward(a, b) with broadcasting; y has the broadcast shape.
template <class F>
inline constinit Kernel<void(const F& f, const Tensor& a, const Tensor& b, Out y)> binary_forward{F::name};
/// y = f.forward(a, b, c), the same.
template <class F>
inline constinit Kernel<void(const F& f, const Tensor& a, const Tensor& b, const Tensor& c, Out y)>
    ternary_forward{F::name};

}  // namespace fade
