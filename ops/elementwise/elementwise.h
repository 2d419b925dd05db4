// Elementwise arithmetic and comparisons, f32 or f64. Operations of one tensor keep the shape. Those of
// several broadcast as in NumPy and take tensors of one type and device; the tape sums the gradient of a
// broadcast one back to its shape. Shapes that do not broadcast, and other types, are errors. A number takes
// the type of the tensor that it is used with. NaN gives NaN, in values and gradients, where nothing
// else is said.
#pragma once

#include "engine/tensor.h"

namespace fade {

/// y = a + b; of bf16, too, on CUDA, summed in f32.   da = g, db = g.   Saves nothing.
Tensor add(const Tensor& a, const Tensor& b);
/// y = a − b.   da = g, db = −g.   Saves nothing.
Tensor sub(const Tensor& a, const Tensor& b);
/// y = a·b.   da = g·b, db = g·a.   Saves a, b.
Tensor mul(const Tensor& a, const Tensor& b);
/// y = a/b.   da = g/b, db = −g·a/b².   Saves a, b.
Tensor div(const Tensor& a, const Tensor& b);

/// y = a^b (NaN where a < 0 and b is no whole number).   da = g·b·a^(b − 1), 0 where b = 0.
/// db = g·y·ln a, 0 where a = 0 and b ≥ 0.   Saves a, b.   a^0 is 1, and 1^b is 1, also for NaN (as in C).
Tensor pow(const Tensor& a, const Tensor& b);
/// The same with a number as exponent.   Saves x.
Tensor pow(const Tensor& x, double exponent);
/// The same with a number as base.   Saves x.
Tensor pow(double base, const Tensor& x);
/// y = the smaller of a and b.   da = g where a < b, g/2 where a = b (as in PyTorch), else 0; db is the rest.
/// Both are g where a or b is NaN.   Saves a, b.
Tensor minimum(const Tensor& a, const Tensor& b);
/// y = the larger of a and b.   Gradients as those of minimum.   Saves a, b.
Tensor maximum(const Tensor& a, const Tensor& b);
/// y = a where condition ≠ 0 (NaN counts as ≠ 0), else b; a NaN on the other side does not matter. The
/// condition has the type of a and b: see the comparisons below.
/// da = g where condition ≠ 0, else 0; db = g where condition = 0, else 0.   Saves condition.
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);
/// The same with a number in place of b.
Tensor where(const Tensor& condition, const Tensor& a, double b);
/// The same with a number in place of a.
Tensor where(const Tensor& condition, double a, const Tensor& b);

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
/// y = x·σ(x), σ(x) = 1/(1 + e^−x) (Hendrycks and Gimpel 2016; also called swish).
/// dx = g·σ(x)·(1 + x·(1 − σ(x))).   Saves x.
Tensor silu(const Tensor& x);
/// y = ln(1 + e^x), computed as max(x, 0) + ln(1 + e^−|x|), which does not overflow.   dx = g/(1 + e^−x).
/// Saves x.
Tensor softplus(const Tensor& x);
/// y = tanh x.   dx = g·(1 − y²).   Saves y.
Tensor tanh(const Tensor& x);
/// y = e^x.   dx = g·y.   Saves y.
Tensor exp(const Tensor& x);
/// y = ln x.   dx = g/x.   Saves x.
Tensor log(const Tensor& x);
/// y = √x, NaN where x < 0.   dx = g/(2y): infinite at 0.   Saves y.
Tensor sqrt(const Tensor& x);
/// y = 1/√x: infinite at 0, NaN where x < 0.   dx = −g·y³/2.   Saves y.
Tensor rsqrt(const Tensor& x);
/// y = |x|.   dx = g·sign(x): 0 at 0.   Saves x.
Tensor abs(const Tensor& x);
/// y = min(max(x, low), high).   dx = g where low ≤ x ≤ high (both ends pass, as in PyTorch), else 0.
/// Saves x.   Throws when low > high, and for a NaN.
Tensor clamp(const Tensor& x, double low, double high);

// Comparisons and the sign are constants for the gradient: nothing is recorded. A comparison gives 1 where it
// holds, else 0, in the type of its operands. With NaN only not_equal holds.

/// y = 1 where x > 0, −1 where x < 0, 0 at 0.
Tensor sign(const Tensor& x);
Tensor less(const Tensor& a, const Tensor& b);           ///< a < b
Tensor less_equal(const Tensor& a, const Tensor& b);     ///< a ≤ b
Tensor greater(const Tensor& a, const Tensor& b);        ///< a > b
Tensor greater_equal(const Tensor& a, const Tensor& b);  ///< a ≥ b
Tensor equal(const Tensor& a, const Tensor& b);          ///< a = b
Tensor not_equal(const Tensor& a, const Tensor& b);      ///< a ≠ b
Tensor less(const Tensor& x, double c);                  ///< x < c
Tensor less_equal(const Tensor& x, double c);            ///< x ≤ c
Tensor greater(const Tensor& x, double c);               ///< x > c
Tensor greater_equal(const Tensor& x, double c);         ///< x ≥ c
Tensor equal(const Tensor& x, double c);                 ///< x = c
Tensor not_equal(const Tensor& x, double c);             ///< x ≠ c

inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }  ///< add
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }  ///< sub
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }  ///< mul
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }  ///< div
inline Tensor operator-(const Tensor& x) { return neg(x); }                      ///< neg

/// y = x + c.   dx = g.   Saves nothing.
Tensor operator+(const Tensor& x, double c);
inline Tensor operator+(double c, const Tensor& x) { return x + c; }   ///< x + c
inline Tensor operator-(const Tensor& x, double c) { return x + -c; }  ///< x + (−c)
/// y = c − x.   dx = −g.   Saves nothing.
Tensor operator-(double c, const Tensor& x);
inline Tensor operator*(const Tensor& x, double c) { return scale(x, c); }  ///< scale
inline Tensor operator*(double c, const Tensor& x) { return scale(x, c); }  ///< scale
/// y = x/c.   dx = g/c.   Saves nothing.
Tensor operator/(const Tensor& x, double c);
/// y = c/x.   dx = −g·c/x².   Saves x.
Tensor operator/(double c, const Tensor& x);

}  // namespace fade
