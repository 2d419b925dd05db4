// Value and derivative of each elementwise operation, as functors: functor.h says what these are.
#pragma once

#include <cmath>

#include "ops/elementwise/functor.h"

namespace fade {

struct Neg {
  static constexpr const char* name = "neg";
  static constexpr Saves saves = Saves::nothing;
  FADE_HD auto forward(auto x) const { return -x; }
  FADE_HD auto backward(auto g, auto) const { return -g; }
};

struct Scale {
  static constexpr const char* name = "scale";
  static constexpr Saves saves = Saves::nothing;
  double c = 1;
  FADE_HD auto forward(auto x) const { return static_cast<decltype(x)>(c) * x; }
  FADE_HD auto backward(auto g, auto) const { return static_cast<decltype(g)>(c) * g; }
};

struct Relu {
  static constexpr const char* name = "relu";
  static constexpr Saves saves = Saves::output;
  FADE_HD auto forward(auto x) const { return x < 0 ? 0 : x; }  // NaN stays NaN
  FADE_HD auto backward(auto g, auto y) const { return y > 0 ? g : 0; }
};

struct Gelu {
  static constexpr const char* name = "gelu";
  static constexpr Saves saves = Saves::input;
  template <class T>
  FADE_HD static T cdf(T x) {  // Φ, of the normal distribution
    return T(0.5) * std::erfc(-x * T(0.70710678118654752440));
  }
  template <class T>
  FADE_HD T forward(T x) const {
    return x * cdf(x);
  }
  template <class T>
  FADE_HD T backward(T g, T x) const {
    return g * (cdf(x) + x * T(0.39894228040143267794) * std::exp(T(-0.5) * x * x));
  }
};

struct Sigmoid {
  static constexpr const char* name = "sigmoid";
  static constexpr Saves saves = Saves::output;
  FADE_HD auto forward(auto x) const { return 1 / (1 + std::exp(-x)); }
  FADE_HD auto backward(auto g, auto y) const { return g * y * (1 - y); }
};

struct Silu {
  static constexpr const char* name = "silu";
  static constexpr Saves saves = Saves::input;
  FADE_HD auto forward(auto x) const { return x / (1 + std::exp(-x)); }
  FADE_HD auto backward(auto g, auto x) const {
    const auto s = 1 / (1 + std::exp(-x));
    return g * s * (1 + x * (1 - s));
  }
};

struct Softplus {
  static constexpr const char* name = "softplus";
  static constexpr Saves saves = Saves::input;
  FADE_HD auto forward(auto x) const { return (x > 0 ? x : 0) + std::log1p(std::exp(-std::abs(x))); }
  FADE_HD auto backward(auto g, auto x) const { return g / (1 + std::exp(-x)); }
};

struct Tanh {
  static constexpr const char* name = "tanh";
  static constexpr Saves saves = Saves::output;
  FADE_HD auto forward(auto x) const { return std::tanh(x); }
  FADE_HD auto backward(auto g, auto y) const { return g * (1 - y * y); }
};

struct Exp {
  static constexpr const char* name = "exp";
  static constexpr Saves saves = Saves::output;
  FADE_HD auto forward(auto x) const { return std::exp(x); }
  FADE_HD auto backward(auto g, auto y) const { return g * y; }
};

struct Sqrt {
  static constexpr const char* name = "sqrt";
  static constexpr Saves saves = Saves::output;
  FADE_HD auto forward(auto x) const { return std::sqrt(x); }
  FADE_HD auto backward(auto g, auto y) const { return g / (2 * y); }
};

struct Rsqrt {
  static constexpr const char* name = "rsqrt";
  static constexpr Saves saves = Saves::output;
  FADE_HD auto forward(auto x) const { return 1 / std::sqrt(x); }
  FADE_HD auto backward(auto g, auto y) const { return -g * y * y * y / 2; }
};

struct Log {
  static constexpr const char* name = "log";
  static constexpr Saves saves = Saves::input;
  FADE_HD auto forward(auto x) const { return std::log(x); }
  FADE_HD auto backward(auto g, auto x) const { return g / x; }
};

struct Clamp {
  static constexpr const char* name = "clamp";
  static constexpr Saves saves = Saves::input;
  double low = 0, high = 1;
  template <class T>
  FADE_HD T forward(T x) const {
    return x < T(low) ? T(low) : x > T(high) ? T(high) : x;
  }
  template <class T>
  FADE_HD T backward(T g, T x) const {
    return x >= T(low) && x <= T(high) ? g : T{0};
  }
};

struct Sign {
  static constexpr const char* name = "sign";
  template <class T>
  FADE_HD T forward(T x) const {
    return x > 0 ? T{1} : x < 0 ? T{-1} : x;  // NaN stays NaN
  }
};

struct Abs {
  static constexpr const char* name = "abs";
  static constexpr Saves saves = Saves::input;
  FADE_HD auto forward(auto x) const { return std::abs(x); }
  FADE_HD auto backward(auto g, auto x) const { return g * Sign{}.forward(x); }
};

struct Add {
  static constexpr const char* name = "add";
  FADE_HD auto forward(auto a, auto b) const { return a + b; }
};
struct Sub {
  static constexpr const char* name = "sub";
  FADE_HD auto forward(auto a, auto b) const { return a - b; }
};
struct Mul {
  static constexpr const char* name = "mul";
  FADE_HD auto forward(auto a, auto b) const { return a * b; }
};
struct Div {
  static constexpr const char* name = "div";
  FADE_HD auto forward(auto a, auto b) const { return a / b; }
};
// Of binary_cross_entropy_with_logits (ops/losses): −t·log σ(x) − (1 − t)·log(1 − σ(x)), without overflow.
struct LogisticLoss {
  static constexpr const char* name = "binary_cross_entropy_with_logits";
  FADE_HD auto forward(auto x, auto t) const {
    return (x < 0 ? 0 : x) - x * t + std::log1p(std::exp(x < 0 ? x : -x));
  }
};

struct Pow {
  static constexpr const char* name = "pow";
  template <class T>
  FADE_HD T forward(T a, T b) const {
    return b == 2 ? a * a : b == 1 ? a : std::pow(a, b);  // std::pow costs 30 multiplications
  }
};
/// b·a^(b − 1): 0 for b = 0, also where a = 0 or NaN.
struct PowGradientOfBase {
  static constexpr const char* name = "pow";
  template <class T>
  FADE_HD T forward(T g, T a, T b) const {
    return b == 0 ? T{0} : g * (b * Pow{}.forward(a, b - 1));
  }
};
/// a^b·ln a, continued by 0 to a = 0 (for b ≥ 0).
struct PowGradientOfExponent {
  static constexpr const char* name = "pow";
  template <class T>
  FADE_HD T forward(T g, T a, T b) const {
    return a == 0 && b >= 0 ? T{0} : g * (Pow{}.forward(a, b) * std::log(a));
  }
};

// Arithmetic with a number c on the right, and (R..) on the left.
struct AddScalar {
  static constexpr const char* name = "add";
  static constexpr Saves saves = Saves::nothing;
  double c = 0;
  FADE_HD auto forward(auto x) const { return x + static_cast<decltype(x)>(c); }
  FADE_HD auto backward(auto g, auto) const { return g; }
};
struct RsubScalar {
  static constexpr const char* name = "sub";
  static constexpr Saves saves = Saves::nothing;
  double c = 0;
  FADE_HD auto forward(auto x) const { return static_cast<decltype(x)>(c) - x; }
  FADE_HD auto backward(auto g, auto) const { return -g; }
};
struct DivScalar {
  static constexpr const char* name = "div";
  static constexpr Saves saves = Saves::nothing;
  double c = 1;
  FADE_HD auto forward(auto x) const { return x / static_cast<decltype(x)>(c); }
  FADE_HD auto backward(auto g, auto) const { return g / static_cast<decltype(g)>(c); }
};
struct RdivScalar {
  static constexpr const char* name = "div";
  static constexpr Saves saves = Saves::input;
  double c = 1;
  FADE_HD auto forward(auto x) const { return static_cast<decltype(x)>(c) / x; }
  FADE_HD auto backward(auto g, auto x) const { return -(g / x) * forward(x); }
};
struct PowScalar {
  static constexpr const char* name = "pow";
  static constexpr Saves saves = Saves::input;
  double c = 1;
  template <class T>
  FADE_HD T forward(T x) const {
    return Pow{}.forward(x, static_cast<T>(c));
  }
  template <class T>
  FADE_HD T backward(T g, T x) const {
    return PowGradientOfBase{}.forward(g, x, static_cast<T>(c));
  }
};
struct RpowScalar {
  static constexpr const char* name = "pow";
  static constexpr Saves saves = Saves::input;
  double c = 1;
  template <class T>
  FADE_HD T forward(T x) const {
    return Pow{}.forward(static_cast<T>(c), x);
  }
  template <class T>
  FADE_HD T backward(T g, T x) const {
    return PowGradientOfExponent{}.forward(g, static_cast<T>(c), x);
  }
};

// The smaller and the larger of two; NaN if one is.
struct Minimum {
  static constexpr const char* name = "minimum";
  FADE_HD auto forward(auto a, auto b) const { return a < b || a != a ? a : b; }
};
struct Maximum {
  static constexpr const char* name = "maximum";
  FADE_HD auto forward(auto a, auto b) const { return a > b || a != a ? a : b; }
};
/// The gradient of a in min(a, b), and of b in max(a, b).
struct GradientOfSmaller {
  static constexpr const char* name = "minimum";
  FADE_HD auto forward(auto g, auto a, auto b) const { return a > b ? 0 : a == b ? g / 2 : g; }
};

// Comparisons: 1 where it holds, else 0. With NaN, only NotEqual holds.
struct Less {
  static constexpr const char* name = "less";
  FADE_HD auto forward(auto a, auto b) const { return static_cast<decltype(a)>(a < b); }
};
struct LessEqual {
  static constexpr const char* name = "less_equal";
  FADE_HD auto forward(auto a, auto b) const { return static_cast<decltype(a)>(a <= b); }
};
struct Greater {
  static constexpr const char* name = "greater";
  FADE_HD auto forward(auto a, auto b) const { return static_cast<decltype(a)>(a > b); }
};
struct GreaterEqual {
  static constexpr const char* name = "greater_equal";
  FADE_HD auto forward(auto a, auto b) const { return static_cast<decltype(a)>(a >= b); }
};
struct Equal {
  static constexpr const char* name = "equal";
  FADE_HD auto forward(auto a, auto b) const { return static_cast<decltype(a)>(a == b); }
};
struct NotEqual {
  static constexpr const char* name = "not_equal";
  FADE_HD auto forward(auto a, auto b) const { return static_cast<decltype(a)>(a != b); }
};
/// Comparison F with the number c.
template <class F>
struct WithScalar {
  static constexpr const char* name = F::name;
  double c = 0;
  FADE_HD auto forward(auto x) const { return F{}.forward(x, static_cast<decltype(x)>(c)); }
};

struct Where {
  static constexpr const char* name = "where";
  FADE_HD auto forward(auto condition, auto a, auto b) const { return condition != 0 ? a : b; }
};

/// The lists for which each device implements kernels. The derivative of a step is 0: it has no gradient.
template <class... F>
struct Functors {};
using UnaryFunctors =
    Functors<Neg, Scale, Relu, Gelu, Sigmoid, Silu, Softplus, Tanh, Exp, Sqrt, Rsqrt, Log, Clamp, Abs,
             AddScalar, RsubScalar, DivScalar, RdivScalar, PowScalar, RpowScalar>;
using StepFunctors = Functors<Sign, WithScalar<Less>, WithScalar<LessEqual>, WithScalar<Greater>,
                              WithScalar<GreaterEqual>, WithScalar<Equal>, WithScalar<NotEqual>>;
using BinaryFunctors = Functors<Add, Sub, Mul, Div, Pow, Minimum, Maximum, Less, LessEqual, Greater,
                                GreaterEqual, Equal, NotEqual, LogisticLoss>;
using TernaryFunctors = Functors<Where, PowGradientOfBase, PowGradientOfExponent, GradientOfSmaller>;

/// Calls implement(F{}) for each functor F of a list. Returns true, for a static constant.
template <class... F>
bool implement_each(Functors<F...>, auto implement) {
  (implement(F{}), ...);
  return true;
}

}  // namespace fade
