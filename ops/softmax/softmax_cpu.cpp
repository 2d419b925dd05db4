#include <cmath>

#include "ops/softmax/softmax_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/softmax/softmax_cpu.cpp"
#include "hwy/foreach_target.h"  // compiles this file again for each instruction set

#include "engine/simd-inl.h"
#include "ops/softmax/exp_sum-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {
namespace {

/// Calls f(row, offset, n) for each row of x, which is x[offset, offset + n).
template <class F>
HWY_INLINE void for_each_row_of(const Tensor& x, const F& f) {
  const int64_t n = x.size(-1);
  parallel_rows(n ? x.numel() / n : 0, n, [&](int64_t row) HWY_ATTR { f(row, row * n, n); });
}

// One row: exponentials and their sum, then the division. `value(d, i)` loads x, or −inf for a column that
// does not take part; e^−inf is exactly 0.
template <class T, class Value>
HWY_INLINE void softmax_row(const Value& value, T* y, int64_t n) {
  const T shift = exponent_shift(max_over<T>(n, value));
  const T sum = sum_over<T>(n, [&](auto d, int64_t i) HWY_ATTR {
    const auto e = exp_of(d, hn::Sub(value(d, i), hn::Set(d, shift)));
    hn::StoreU(e, d, y + i);
    return e;
  });
  const T factor = sum == 0 ? T{0} : 1 / sum;
  for_each_vector<T>(n, [&](auto d, int64_t i) HWY_ATTR {
    hn::StoreU(hn::Mul(hn::LoadU(d, y + i), hn::Set(d, factor)), d, y + i);
  });
}

void forward(const Tensor& x, const Tensor& mask, Out y) {
  dispatch_float(x.dtype(), "softmax", [&]<class T>() HWY_ATTR {
    const T* px = x.data<T>();
    T* py = y.mutate<T>();
    if (!mask) {
      for_each_row_of(x, [&](int64_t, int64_t at, int64_t n) HWY_ATTR {
        softmax_row([&](auto d, int64_t i) HWY_ATTR { return hn::LoadU(d, px + at + i); }, py + at, n);
      });
      return;
    }
    const T* pm = mask.data<T>();
    const int64_t heads = x.size(1), queries = x.size(2);
    for_each_row_of(x, [&](int64_t row, int64_t at, int64_t n) HWY_ATTR {
      const T* m = pm + (row / (heads * queries) * queries + row % queries) * n;
      const auto value = [&](auto d, int64_t i) HWY_ATTR {
        const auto nothing = hn::Set(d, -std::numeric_limits<T>::infinity());
        return hn::IfThenElse(hn::Gt(hn::LoadU(d, m + i), hn::Zero(d)), hn::LoadU(d, px + at + i), nothing);
      };
      softmax_row(value, py + at, n);
    });
  });
}

void backward(const Tensor& g, const Tensor& y, Out dx) {
  dispatch_float(g.dtype(), "softmax", [&]<class T>() HWY_ATTR {
    const T *pg = g.data<T>(), *py = y.data<T>();
    T* out = dx.mutate<T>();
    for_each_row_of(g, [&](int64_t, int64_t at, int64_t n) HWY_ATTR {
      const T *gr = pg + at, *yr = py + at;
      const T dot = sum_over<T>(
          n, [&](auto d, int64_t i) HWY_ATTR { return hn::Mul(hn::LoadU(d, gr + i), hn::LoadU(d, yr + i)); });
      for_each_vector<T>(n, [&](auto d, int64_t i) HWY_ATTR {
        const auto centred = hn::Sub(hn::LoadU(d, gr + i), hn::Set(d, dot));
        hn::StoreU(hn::Mul(hn::LoadU(d, yr + i), centred), d, out + at + i);
      });
    });
  });
}

void log_forward(const Tensor& x, Out y) {
  dispatch_float(x.dtype(), "log_softmax", [&]<class T>() HWY_ATTR {
    const T* px = x.data<T>();
    T* py = y.mutate<T>();
    for_each_row_of(x, [&](int64_t, int64_t at, int64_t n) HWY_ATTR {
      const T* xr = px + at;
      const ExpSum<T> total = exp_sum(xr, n);
      const T lse = total.sum == 0 ? T{0} : std::log(total.sum);  // of x − shift; a row of −inf stays −inf
      for_each_vector<T>(n, [&](auto d, int64_t i) HWY_ATTR {
        const auto shifted = hn::Sub(hn::LoadU(d, xr + i), hn::Set(d, total.shift));
        hn::StoreU(hn::Sub(shifted, hn::Set(d, lse)), d, py + at + i);
      });
    });
  });
}

void log_backward(const Tensor& g, const Tensor& y, Out dx) {
  dispatch_float(g.dtype(), "log_softmax", [&]<class T>() HWY_ATTR {
    const T *pg = g.data<T>(), *py = y.data<T>();
    T* out = dx.mutate<T>();
    for_each_row_of(g, [&](int64_t, int64_t at, int64_t n) HWY_ATTR {
      const T *gr = pg + at, *yr = py + at;
      const T total = sum_over<T>(n, [&](auto d, int64_t i) HWY_ATTR { return hn::LoadU(d, gr + i); });
      for_each_vector<T>(n, [&](auto d, int64_t i) HWY_ATTR {
        const auto p = exp_of(d, hn::LoadU(d, yr + i));
        hn::StoreU(hn::NegMulAdd(p, hn::Set(d, total), hn::LoadU(d, gr + i)), d, out + at + i);
      });
    });
  });
}

void lse_forward(const Tensor& x, Out y) {
  dispatch_float(x.dtype(), "logsumexp", [&]<class T>() HWY_ATTR {
    const T* in = x.data<T>();
    T* out = y.mutate<T>();
    for_each_row_of(x, [&](int64_t row, int64_t at, int64_t n) HWY_ATTR {
      const ExpSum<T> total = exp_sum(in + at, n);
      out[row] = total.shift + std::log(total.sum);
    });
  });
}

void lse_backward(const Tensor& g, const Tensor& x, const Tensor& y, Out dx) {
  dispatch_float(g.dtype(), "logsumexp", [&]<class T>() HWY_ATTR {
    const T *pg = g.data<T>(), *in = x.data<T>(), *lse = y.data<T>();
    T* out = dx.mutate<T>();
    for_each_row_of(x, [&](int64_t row, int64_t at, int64_t n) HWY_ATTR {
      const T shift = exponent_shift(lse[row]), factor = pg[row];
      for_each_vector<T>(n, [&](auto d, int64_t i) HWY_ATTR {
        const auto p = exp_of(d, hn::Sub(hn::LoadU(d, in + at + i), hn::Set(d, shift)));
        hn::StoreU(hn::Mul(p, hn::Set(d, factor)), d, out + at + i);
      });
    });
  });
}

}  // namespace
}  // namespace fade::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fade {

FADE_SIMD_KERNEL(softmax_forward, forward);
FADE_SIMD_KERNEL(softmax_backward, backward);
FADE_SIMD_KERNEL(log_softmax_forward, log_forward);
FADE_SIMD_KERNEL(log_softmax_backward, log_backward);
FADE_SIMD_KERNEL(logsumexp_forward, lse_forward);
FADE_SIMD_KERNEL(logsumexp_backward, lse_backward);

}  // namespace fade
#endif
