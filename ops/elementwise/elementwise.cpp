#include "ops/elementwise/elementwise.h"

#include "ops/check.h"
#include "ops/elementwise/functors.h"

namespace fade {
namespace {

template <class F>
Tensor binary(const OpDef& op, const Tensor& a, const Tensor& b, bool saves_inputs) {
  check_same_type(op.name, a, b);
  Tensor y = Tensor::empty(broadcast(a.shape(), b.shape(), op.name), a.dtype(), a.device());
  binary_forward<F>(a.device(), F{}, a, b, y);
  if (saves_inputs)
    record(op, y, {&a, &b}, {&a, &b});
  else
    record(op, y, {&a, &b}, {});
  return y;
}

constexpr OpDef kAdd{Add::name, [](BackwardCtx& ctx) {
                       ctx.add(0, ctx.grad());
                       ctx.add(1, ctx.grad());
                     }};
constexpr OpDef kSub{Sub::name, [](BackwardCtx& ctx) {
                       ctx.add(0, ctx.grad());
                       if (ctx.needs(1)) ctx.add(1, neg(ctx.grad()));
                     }};
constexpr OpDef kMul{Mul::name, [](BackwardCtx& ctx) {
                       if (ctx.needs(0)) ctx.add(0, mul(ctx.grad(), ctx.saved(1)));
                       if (ctx.needs(1)) ctx.add(1, mul(ctx.grad(), ctx.saved(0)));
                     }};
constexpr OpDef kDiv{Div::name, [](BackwardCtx& ctx) {
                       const Tensor b = ctx.saved(1), da = div(ctx.grad(), b);
                       ctx.add(0, da);
                       if (ctx.needs(1)) ctx.add(1, neg(div(mul(da, ctx.saved(0)), b)));
                     }};

}  // namespace

Tensor add(const Tensor& a, const Tensor& b) { return binary<Add>(kAdd, a, b, false); }
Tensor sub(const Tensor& a, const Tensor& b) { return binary<Sub>(kSub, a, b, false); }
Tensor mul(const Tensor& a, const Tensor& b) { return binary<Mul>(kMul, a, b, true); }
Tensor div(const Tensor& a, const Tensor& b) { return binary<Div>(kDiv, a, b, true); }

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
