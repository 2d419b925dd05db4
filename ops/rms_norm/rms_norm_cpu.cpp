#include <cmath>

#include "ops/rms_norm/rms_norm_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/rms_norm/rms_norm_cpu.cpp"
#include "hwy/foreach_target.h"  // compiles this file again for each instruction set

#include "engine/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {
namespace {

void forward(const Tensor& x, const Tensor& weight, double eps, Out y, Out r) {
  dispatch_float(x.dtype(), "rms_norm", [&]<class T>() HWY_ATTR {
    const T *in = x.data<T>(), *w = weight.data<T>();
    T *out = y.mutate<T>(), *factors = r.mutate<T>();
    const int64_t n = x.size(-1);
    parallel_rows(r.numel(), n, [&](int64_t row) HWY_ATTR {
      const T* v = in + row * n;
      const T squares = sum_over<T>(
          n, [&](auto d, int64_t i) HWY_ATTR { return hn::Mul(hn::LoadU(d, v + i), hn::LoadU(d, v + i)); });
      factors[row] = 1 / std::sqrt(squares / static_cast<T>(n) + static_cast<T>(eps));
      for_each_vector<T>(n, [&](auto d, int64_t i) HWY_ATTR {
        const auto normal = hn::Mul(hn::LoadU(d, v + i), hn::Set(d, factors[row]));
        hn::StoreU(hn::Mul(normal, hn::LoadU(d, w + i)), d, out + row * n + i);
      });
    });
  });
}

void backward(const Tensor& g, const Tensor& x, const Tensor& weight, const Tensor& r, Out dx) {
  dispatch_float(x.dtype(), "rms_norm", [&]<class T>() HWY_ATTR {
    const T *gs = g.data<T>(), *in = x.data<T>(), *w = weight.data<T>(), *factors = r.data<T>();
    T* out = dx.mutate<T>();
    const int64_t n = x.size(-1);
    parallel_rows(r.numel(), n, [&](int64_t row) HWY_ATTR {
      const T factor = factors[row];
      const auto scaled = [&](auto d, int64_t i) HWY_ATTR {
        return hn::Mul(hn::LoadU(d, gs + row * n + i), hn::LoadU(d, w + i));
      };
      const auto normal = [&](auto d, int64_t i) HWY_ATTR {
        return hn::Mul(hn::LoadU(d, in + row * n + i), hn::Set(d, factor));
      };
      const T sum =
          sum_over<T>(n, [&](auto d, int64_t i) HWY_ATTR { return hn::Mul(scaled(d, i), normal(d, i)); });
      const T mean = sum / static_cast<T>(n);
      for_each_vector<T>(n, [&](auto d, int64_t i) HWY_ATTR {
        const auto rest = hn::NegMulAdd(normal(d, i), hn::Set(d, mean), scaled(d, i));
        hn::StoreU(hn::Mul(rest, hn::Set(d, factor)), d, out + row * n + i);
      });
    });
  });
}

void weight_backward(const Tensor& g, const Tensor& x, const Tensor& r, Out gn) {
  dispatch_float(x.dtype(), "rms_norm", [&]<class T>() HWY_ATTR {
    const T *gs = g.data<T>(), *in = x.data<T>(), *factors = r.data<T>();
    T* out = gn.mutate<T>();
    const int64_t n = x.size(-1);
    parallel_rows(r.numel(), n, [&](int64_t row) HWY_ATTR {
      for (int64_t i = row * n; i < (row + 1) * n; ++i) out[i] = gs[i] * in[i] * factors[row];
    });
  });
}

}  // namespace
}  // namespace fade::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fade {

FADE_SIMD_KERNEL(rms_norm_forward, forward);
FADE_SIMD_KERNEL(rms_norm_backward, backward);
FADE_SIMD_KERNEL(rms_norm_weight_backward, weight_backward);

}  // namespace fade
#endif
