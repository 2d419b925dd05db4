// An elementwise operation of one tensor, made of a functor (functor.h says what that is). Operations of
// other programs are made as fade's own are (docs/library.md):
//
//   Tensor softsign(const Tensor& x) { return unary_operation<Softsign>(x); }
//   const bool registered = implement_unary_cpu<Softsign>();  // unary_cpu.h; for device cuda unary_cuda.h
#pragma once

#include "engine/tape.h"
#include "ops/check.h"
#include "ops/elementwise/elementwise_kernels.h"

namespace fade {

/// The gradient rule: dx = f.backward(g, saved).
template <class F>
void unary_rule(BackwardCtx& ctx) {
  const Tensor &g = ctx.grad(), dx = ctx.empty_for(0);
  unary_backward<F>(g.device(), ctx.attrs<F>(), g, ctx.saved(0), dx);
  ctx.add(0, dx);
}

/// The operation of F, for record.
template <class F>
inline constexpr OpDef kUnary{F::name, unary_rule<F>};

/// y = f(x), f32 or f64, of x's shape; not recorded: a constant for the gradient. Throws when F has no kernel on
/// the device of x.
template <class F>
Tensor unary_constant(const Tensor& x, const F& f = {}) {
  check_given(F::name, "the input", x);
  Tensor y = Tensor::empty_like(x);
  unary_forward<F>(x.device(), f, x, y);
  return y;
}

/// y = f(x), f32 or f64, of x's shape; recorded.   dx = f.backward(g, saved).   Saves what F::saves says.
/// Throws as unary_constant does.
template <class F>
Tensor unary_operation(const Tensor& x, const F& f = {}) {
  Tensor y = unary_constant(x, f);
  const Tensor nothing;
  record(kUnary<F>, y, {&x}, {F::saves == Saves::input ? &x : F::saves == Saves::output ? &y : &nothing}, f);
  return y;
}

}  // namespace fade
