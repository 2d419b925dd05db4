#include "ops/elementwise/elementwise.h"

#include "engine/tape.h"
#include "ops/check.h"
#include "ops/elementwise/elementwise_kernels.h"

namespace fade {
namespace {

template <class F>
void unary_rule(BackwardCtx& ctx) {
  const Tensor &g = ctx.grad(), dx = ctx.empty_for(0);
  unary_backward<F>(g.device(), ctx.attrs<F>(), g, ctx.saved(0), dx);
  ctx.add(0, dx);
}

template <class F>
constexpr OpDef kUnary{F::name, unary_rule<F>};

// y = f(x), recorded.
template <class F>
Tensor unary(const Tensor& x, const F& f = {}) {
  Tensor y = Tensor::empty_like(x);
  unary_forward<F>(x.device(), f, x, y);
  const Tensor nothing;
  record(kUnary<F>, y, {&x}, {F::saves == Saves::input ? &x : F::saves == Saves::output ? &y : &nothing}, f);
  return y;
}

// y = f(a, b), for the caller to record.
template <class F>
Tensor binary(const Tensor& a, const Tensor& b) {
  check_same_type(F::name, a, b);
  Tensor y = Tensor::empty(broadcast(a.shape(), b.shape(), F::name), a.dtype(), a.device());
  binary_forward<F>(a.device(), F{}, a, b, y);
  return y;
}

enum Saved : int { kA, kB };  // of mul and div

void add_rule(BackwardCtx& ctx) {
  ctx.add(0, ctx.grad());
  ctx.add(1, ctx.grad());
}

void sub_rule(BackwardCtx& ctx) {
  ctx.add(0, ctx.grad());
  if (ctx.needs(1)) ctx.add(1, neg(ctx.grad()));
}

void mul_rule(BackwardCtx& ctx) {
  if (ctx.needs(0)) ctx.add(0, mul(ctx.grad(), ctx.saved(kB)));
  if (ctx.needs(1)) ctx.add(1, mul(ctx.grad(), ctx.saved(kA)));
}

void div_rule(BackwardCtx& ctx) {
  const Tensor b = ctx.saved(kB), da = div(ctx.grad(), b);
  ctx.add(0, da);
  if (ctx.needs(1)) ctx.add(1, neg(div(mul(da, ctx.saved(kA)), b)));
}

constexpr OpDef kAdd{Add::name, add_rule};
constexpr OpDef kSub{Sub::name, sub_rule};
constexpr OpDef kMul{Mul::name, mul_rule};
constexpr OpDef kDiv{Div::name, div_rule};

}  // namespace

Tensor add(const Tensor& a, const Tensor& b) {
  Tensor y = binary<Add>(a, b);
  record(kAdd, y, {&a, &b}, {});
  return y;
}

Tensor sub(const Tensor& a, const Tensor& b) {
  Tensor y = binary<Sub>(a, b);
  record(kSub, y, {&a, &b}, {});
  return y;
}

Tensor mul(const Tensor& a, const Tensor& b) {
  Tensor y = binary<Mul>(a, b);
  record(kMul, y, {&a, &b}, {&a, &b});
  return y;
}

Tensor div(const Tensor& a, const Tensor& b) {
  Tensor y = binary<Div>(a, b);
  record(kDiv, y, {&a, &b}, {&a, &b});
  return y;
}

Tensor neg(const Tensor& x) { return unary<Neg>(x); }
Tensor scale(const Tensor& x, double c) { return unary(x, Scale{c}); }
Tensor relu(const Tensor& x) { return unary<Relu>(x); }
Tensor gelu(const Tensor& x) { return unary<Gelu>(x); }
Tensor sigmoid(const Tensor& x) { return unary<Sigmoid>(x); }
Tensor tanh(const Tensor& x) { return unary<Tanh>(x); }
Tensor exp(const Tensor& x) { return unary<Exp>(x); }
Tensor log(const Tensor& x) { return unary<Log>(x); }
Tensor clamp(const Tensor& x, double low, double high) {
  if (!(low <= high)) fail("clamp: low {} is above high {} (swap them)", low, high);
  return unary(x, Clamp{low, high});
}

}  // namespace fade
