#include "ops/elementwise/elementwise.h"

#include <type_traits>

#include "engine/tape.h"
#include "ops/check.h"
#include "ops/elementwise/elementwise_math.h"
#include "ops/elementwise/unary.h"

namespace fade {
namespace {

template <class F, class... Listed>
constexpr bool is_in(Functors<Listed...>) {
  return (std::is_same_v<F, Listed> || ...);
}

// Each device makes its kernels from the lists: a functor that is in none would have none.
template <class F, class... Lists>
constexpr void check_listed() {
  static_assert((is_in<F>(Lists{}) || ...),
                "this functor is in no list: add it to UnaryFunctors, or the list of its kind, at the end of "
                "ops/elementwise/elementwise_math.h, from which each device makes its kernels");
}

// unary_constant and unary_operation, of a functor that is in a list.
template <class F>
Tensor step(const Tensor& x, const F& f = {}) {
  check_listed<F, UnaryFunctors, StepFunctors>();
  return unary_constant(x, f);
}
template <class F>
Tensor unary(const Tensor& x, const F& f = {}) {
  check_listed<F, UnaryFunctors>();
  return unary_operation(x, f);
}

// y = f(a, b), for the caller to record.
template <class F>
Tensor binary(const Tensor& a, const Tensor& b) {
  check_listed<F, BinaryFunctors>();
  check_same_type(F::name, a, b);
  Tensor y = Tensor::empty(broadcast(a.shape(), b.shape(), F::name), a.dtype(), a.device());
  binary_forward<F>(a.device(), F{}, a, b, y);
  return y;
}

// The same, recorded with the operands that its rule reads.
template <class F>
Tensor recorded(const OpDef& op, const Tensor& a, const Tensor& b,
                std::initializer_list<const Tensor*> saved) {
  Tensor y = binary<F>(a, b);
  record(op, y, {&a, &b}, saved);
  return y;
}

// y = f(a, b, c), for the caller to record.
template <class F>
Tensor ternary(const Tensor& a, const Tensor& b, const Tensor& c) {
  check_listed<F, TernaryFunctors>();
  check_same_type(F::name, b, c);
  check_same_type(F::name, b, a);
  const Shape shape = broadcast(a.shape(), broadcast(b.shape(), c.shape(), F::name), F::name);
  Tensor y = Tensor::empty(shape, a.dtype(), a.device());
  ternary_forward<F>(a.device(), F{}, a, b, c, y);
  return y;
}

enum Saved : int { kA, kB };  // of mul, div, pow, minimum and maximum

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

void pow_rule(BackwardCtx& ctx) {
  const Tensor a = ctx.saved(kA), b = ctx.saved(kB);
  if (ctx.needs(0)) ctx.add(0, ternary<PowGradientOfBase>(ctx.grad(), a, b));
  if (ctx.needs(1)) ctx.add(1, ternary<PowGradientOfExponent>(ctx.grad(), a, b));
}

// Input i has the gradient where it is smaller than the other one; for the maximum, where the other one is.
void smaller_rule(BackwardCtx& ctx, const Tensor& a, const Tensor& b) {
  if (ctx.needs(0)) ctx.add(0, ternary<GradientOfSmaller>(ctx.grad(), a, b));
  if (ctx.needs(1)) ctx.add(1, ternary<GradientOfSmaller>(ctx.grad(), b, a));
}

void minimum_rule(BackwardCtx& ctx) { smaller_rule(ctx, ctx.saved(kA), ctx.saved(kB)); }
void maximum_rule(BackwardCtx& ctx) { smaller_rule(ctx, ctx.saved(kB), ctx.saved(kA)); }

enum SavedByWhere : int { kCondition };

void where_rule(BackwardCtx& ctx) {
  const Tensor condition = ctx.saved(kCondition);
  if (ctx.needs(0)) ctx.add(0, where(condition, ctx.grad(), 0));
  if (ctx.needs(1)) ctx.add(1, where(condition, 0, ctx.grad()));
}

constexpr OpDef kAdd{Add::name, add_rule};
constexpr OpDef kSub{Sub::name, sub_rule};
constexpr OpDef kMul{Mul::name, mul_rule};
constexpr OpDef kDiv{Div::name, div_rule};
constexpr OpDef kPow{Pow::name, pow_rule};
constexpr OpDef kMinimum{Minimum::name, minimum_rule};
constexpr OpDef kMaximum{Maximum::name, maximum_rule};
constexpr OpDef kWhere{Where::name, where_rule};

// The number c, to be broadcast against x.
Tensor scalar_for(const char* op, const Tensor& x, double c) {
  check_given(op, "the tensor beside the number", x);
  return Tensor::scalar(c, x.dtype(), x.device());
}

}  // namespace

Tensor add(const Tensor& a, const Tensor& b) { return recorded<Add>(kAdd, a, b, {}); }
Tensor sub(const Tensor& a, const Tensor& b) { return recorded<Sub>(kSub, a, b, {}); }
Tensor mul(const Tensor& a, const Tensor& b) { return recorded<Mul>(kMul, a, b, {&a, &b}); }
Tensor div(const Tensor& a, const Tensor& b) { return recorded<Div>(kDiv, a, b, {&a, &b}); }
Tensor pow(const Tensor& a, const Tensor& b) { return recorded<Pow>(kPow, a, b, {&a, &b}); }
Tensor minimum(const Tensor& a, const Tensor& b) { return recorded<Minimum>(kMinimum, a, b, {&a, &b}); }
Tensor maximum(const Tensor& a, const Tensor& b) { return recorded<Maximum>(kMaximum, a, b, {&a, &b}); }

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  Tensor y = ternary<Where>(condition, a, b);
  record(kWhere, y, {&a, &b}, {&condition});
  return y;
}

Tensor where(const Tensor& condition, const Tensor& a, double b) {
  return where(condition, a, scalar_for(Where::name, a, b));
}
Tensor where(const Tensor& condition, double a, const Tensor& b) {
  return where(condition, scalar_for(Where::name, b, a), b);
}

Tensor operator+(const Tensor& x, double c) { return unary(x, AddScalar{c}); }
Tensor operator-(double c, const Tensor& x) { return unary(x, RsubScalar{c}); }
Tensor operator/(const Tensor& x, double c) { return unary(x, DivScalar{c}); }
Tensor operator/(double c, const Tensor& x) { return unary(x, RdivScalar{c}); }
Tensor pow(const Tensor& x, double c) { return unary(x, PowScalar{c}); }
Tensor pow(double c, const Tensor& x) { return unary(x, RpowScalar{c}); }

Tensor neg(const Tensor& x) { return unary<Neg>(x); }
Tensor scale(const Tensor& x, double c) { return unary(x, Scale{c}); }
Tensor relu(const Tensor& x) { return unary<Relu>(x); }
Tensor gelu(const Tensor& x) { return unary<Gelu>(x); }
Tensor sigmoid(const Tensor& x) { return unary<Sigmoid>(x); }
Tensor silu(const Tensor& x) { return unary<Silu>(x); }
Tensor softplus(const Tensor& x) { return unary<Softplus>(x); }
Tensor tanh(const Tensor& x) { return unary<Tanh>(x); }
Tensor exp(const Tensor& x) { return unary<Exp>(x); }
Tensor log(const Tensor& x) { return unary<Log>(x); }
Tensor sqrt(const Tensor& x) { return unary<Sqrt>(x); }
Tensor rsqrt(const Tensor& x) { return unary<Rsqrt>(x); }
Tensor abs(const Tensor& x) { return unary<Abs>(x); }
Tensor clamp(const Tensor& x, double low, double high) {
  if (low > high) fail("clamp: low {} is above high {} (swap them)", low, high);
  if (!(low <= high))
    fail("clamp: low {}, high {}: a NaN is no limit (give -INFINITY or INFINITY for none)", low, high);
  return unary(x, Clamp{low, high});
}

Tensor sign(const Tensor& x) { return step<Sign>(x); }
Tensor less(const Tensor& a, const Tensor& b) { return binary<Less>(a, b); }
Tensor less_equal(const Tensor& a, const Tensor& b) { return binary<LessEqual>(a, b); }
Tensor greater(const Tensor& a, const Tensor& b) { return binary<Greater>(a, b); }
Tensor greater_equal(const Tensor& a, const Tensor& b) { return binary<GreaterEqual>(a, b); }
Tensor equal(const Tensor& a, const Tensor& b) { return binary<Equal>(a, b); }
Tensor not_equal(const Tensor& a, const Tensor& b) { return binary<NotEqual>(a, b); }
Tensor less(const Tensor& x, double c) { return step(x, WithScalar<Less>{c}); }
Tensor less_equal(const Tensor& x, double c) { return step(x, WithScalar<LessEqual>{c}); }
Tensor greater(const Tensor& x, double c) { return step(x, WithScalar<Greater>{c}); }
Tensor greater_equal(const Tensor& x, double c) { return step(x, WithScalar<GreaterEqual>{c}); }
Tensor equal(const Tensor& x, double c) { return step(x, WithScalar<Equal>{c}); }
Tensor not_equal(const Tensor& x, double c) { return step(x, WithScalar<NotEqual>{c}); }

}  // namespace fade
