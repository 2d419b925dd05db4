// Elementwise arithmetic, f32 or f64. Unary operations keep the shape.
// Binary operations broadcast as in NumPy and take operands of one type and device;
// the tape sums the gradient of a broadcast operand back to its shape.
#pragma once

#include "engine/tensor.h"

namespace fade {

/// y = a + b.   da = g, db = g.   Saves nothing.
Tensor add(const Tensor& a, const Tensor& b);
/// y = a − b.   da = g, db = −g.   Saves nothing.
Tensor sub(const Tensor& a, const Tensor& b);
/// y = a·b.   da = g·b, db = g·a.   Saves a, b.
Tensor mul(const Tensor& a, const Tensor& b);
/// y = a/b.   da = g/b, db = −g·a/b².   Saves a, b.
Tensor div(const Tensor& a, const Tensor& b);

/// y = −x.   dx = −g.   Saves nothing.
Tensor neg(const Tensor& x);
/// y = c·x.   dx = c·g.   Saves nothing.
Tensor scale(const Tensor& x, double c);
/// y = max(x, 0).   dx = g where y > 0, else 0.   Saves y.
Tensor relu(const Tensor& x);
/// y = x·Φ(x), Φ the normal distribution function and φ its density (Hendrycks and Gimpel 2016, exact form).
/// dx = g·(Φ(x) + x·φ(x)).   Saves x.
Tensor gelu(const Tensor& x);
/// y = 1/(1 + e^−x).   dx = g·y(1 − y).   Saves y.
Tensor sigmoid(const Tensor& x);
/// y = tanh x.   dx = g·(1 − y²).   Saves y.
Tensor tanh(const Tensor& x);
/// y = e^x.   dx = g·y.   Saves y.
Tensor exp(const Tensor& x);
/// y = ln x.   dx = g/x.   Saves x.
Tensor log(const Tensor& x);
/// y = min(max(x, low), high).   dx = g where low ≤ x ≤ high (both ends pass, as in PyTorch), else 0.
/// Saves x.   Throws when low > high.
Tensor clamp(const Tensor& x, double low, double high);

inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator-(const Tensor& x) { return neg(x); }
inline Tensor operator*(const Tensor& x, double c) { return scale(x, c); }
inline Tensor operator*(double c, const Tensor& x) { return scale(x, c); }

}  // namespace fade
