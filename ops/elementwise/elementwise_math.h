// Value and derivative of each elementwise operation: the same lines for every device.
//
// A unary operation is a struct F with
//   name, saves      what its gradient rule reads: its input, its output or nothing
//   forward(x)       the value
//   backward(g, v)   the gradient, from the gradient g of the output and v, what was saved
// Arguments and result are all float or all double. Members of F are its attributes. Both functions are
// marked FADE_HD: they run on the CPU and on the device.
#pragma once

#include <cmath>

#include "engine/host_device.h"

namespace fade {

enum class Saves { nothing, input, output };

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

// A binary operation has a value only: its gradient rule is made of other operations (elementwise.cpp).
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

/// The lists for which each device implements kernels.
template <class... F>
struct Functors {};
using UnaryFunctors = Functors<Neg, Scale, Relu, Gelu, Sigmoid, Tanh, Exp, Log, Clamp>;
using BinaryFunctors = Functors<Add, Sub, Mul, Div, LogisticLoss>;

}  // namespace fade
