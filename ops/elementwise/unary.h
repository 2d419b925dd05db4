// The one mechanism behind every unary operation: a functor F with
//   name, saves              what the gradient rule wants to see: the input, the output or nothing
//   forward(x)               the value
//   backward(g, v)           the gradient, from the output's gradient and the saved value (0 when nothing is
//   saved)
// marked FADE_HD, so that CPU kernel, CUDA kernel and gradient rule are the same lines. F's members are its
// attributes.
#pragma once

#include "engine/kernel.h"
#include "engine/tape.h"

namespace fade {

enum class Saves { nothing, input, output };

template <class F>
inline constinit Kernel<void(const F& f, const Tensor& x, const Tensor& y)> unary_forward{F::name};
template <class F>
inline constinit Kernel<void(const F& f, const Tensor& g, const Tensor& saved, const Tensor& dx)>
    unary_backward{F::name};

/// y = f(x), elementwise; recorded.
template <class F>
Tensor unary(const Tensor& x, const F& f = {}) {
  static constexpr OpDef op{F::name, [](BackwardCtx& ctx) {
                              const Tensor& g = ctx.grad();
                              Tensor dx = Tensor::empty(g.shape(), g.dtype(), g.device());
                              unary_backward<F>(g.device(), ctx.attrs<F>(), g, ctx.saved(0), dx);
                              ctx.add(0, dx);
                            }};
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  unary_forward<F>(x.device(), f, x, y);
  const Tensor nothing;
  record(op, y, {&x}, {F::saves == Saves::input ? &x : F::saves == Saves::output ? &y : &nothing}, f);
  return y;
}

}  // namespace fade
