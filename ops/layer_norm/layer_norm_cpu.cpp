#include <cmath>

#include "ops/layer_norm/layer_norm_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/layer_norm/layer_norm_cpu.cpp"
#include "hwy/foreach_target.h"  // compiles this file again for each instruction set

#include "engine/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {
namespace {

void forward(const Tensor& x, const Tensor& residual, const Tensor& weight, const Tensor& bias, double eps,
             Out sum, Out y, Out mean, Out rstd) {
  dispatch_float(x.dtype(), "layer_norm", [&]<class T>() HWY_ATTR {
    const T *px = x.data<T>(), *w = weight.data<T>(), *b = bias.data<T>();
    const T* other = residual ? residual.data<T>() : nullptr;
    T* sums = residual ? sum.mutate<T>() : nullptr;
    T *py = y.mutate<T>(), *means = mean.mutate<T>(), *rstds = rstd.mutate<T>();
    const int64_t n = x.size(-1);
    parallel_rows(mean.numel(), n, [&](int64_t row) HWY_ATTR {
      const T* xr = px + row * n;
      T* yr = py + row * n;
      if (other) {
        T* to = sums + row * n;
        for_each_vector<T>(n, [&](auto d, int64_t i) HWY_ATTR {
          hn::StoreU(hn::Add(hn::LoadU(d, xr + i), hn::LoadU(d, other + row * n + i)), d, to + i);
        });
        xr = to;
      }
      const T total = sum_over<T>(n, [&](auto d, int64_t i) HWY_ATTR { return hn::LoadU(d, xr + i); });
      const T m = total / static_cast<T>(n);
      const T squares = sum_over<T>(n, [&](auto d, int64_t i) HWY_ATTR {
        const auto c = hn::Sub(hn::LoadU(d, xr + i), hn::Set(d, m));
        return hn::Mul(c, c);
      });
      const T r = 1 / std::sqrt(squares / static_cast<T>(n) + static_cast<T>(eps));
      for_each_vector<T>(n, [&](auto d, int64_t i) HWY_ATTR {
        const auto c = hn::Sub(hn::LoadU(d, xr + i), hn::Set(d, m));
        const auto normal = hn::Mul(c, hn::Set(d, r));
        hn::StoreU(hn::MulAdd(normal, hn::LoadU(d, w + i), hn::LoadU(d, b + i)), d, yr + i);
      });
      means[row] = m;
      rstds[row] = r;
    });
  });
}

// The backward pass of one row, with n its normalised values and d = g·weight.
template <class T>
struct RowBackward {
  const T *g, *x, *weight;
  T mean, rstd;
  int64_t size;

  HWY_INLINE auto normal(auto d, int64_t i) const {
    return hn::Mul(hn::Sub(hn::LoadU(d, x + i), hn::Set(d, mean)), hn::Set(d, rstd));
  }
  HWY_INLINE auto scaled(auto d, int64_t i) const {
    return hn::Mul(hn::LoadU(d, g + i), hn::LoadU(d, weight + i));
  }

  // dx = rstd·(d − mean(d) − n·mean(d·n))
  HWY_INLINE void input_gradient(T* dx) const {
    const T count = static_cast<T>(size);
    const T mean_d = sum_over<T>(size, [&](auto d, int64_t i) HWY_ATTR { return scaled(d, i); }) / count;
    const T mean_dn =
        sum_over<T>(size, [&](auto d, int64_t i) HWY_ATTR { return hn::Mul(scaled(d, i), normal(d, i)); }) /
        count;
    for_each_vector<T>(size, [&](auto d, int64_t i) HWY_ATTR {
      const auto centred = hn::Sub(scaled(d, i), hn::Set(d, mean_d));
      const auto rest = hn::NegMulAdd(normal(d, i), hn::Set(d, mean_dn), centred);
      hn::StoreU(hn::Mul(rest, hn::Set(d, rstd)), d, dx + i);
    });
  }

  // dweight += g·n, dbias += g
  HWY_INLINE void add_parameter_gradients(T* dweight, T* dbias) const {
    for_each_vector<T>(size, [&](auto d, int64_t i) HWY_ATTR {
      const auto gi = hn::LoadU(d, g + i);
      hn::StoreU(hn::MulAdd(gi, normal(d, i), hn::LoadU(d, dweight + i)), d, dweight + i);
      hn::StoreU(hn::Add(gi, hn::LoadU(d, dbias + i)), d, dbias + i);
    });
  }
};

void backward(const Tensor& g, const Tensor& x, const Tensor& weight, const Tensor& mean, const Tensor& rstd,
              Out dx, Out dweight, Out dbias) {
  // Rows are cut into chunks, whatever the number of threads. Each chunk sums its own dweight and dbias, and
  // the sums of the chunks are added in order.
  const int64_t n = x.size(-1), rows = mean.numel();
  const int64_t chunks = std::clamp<int64_t>(rows / 32, 1, 64);
  const Tensor partial = Tensor::zeros({chunks, 2, n}, x.dtype());
  dispatch_float(x.dtype(), "layer_norm", [&]<class T>() HWY_ATTR {
    const T *pg = g.data<T>(), *px = x.data<T>(), *w = weight.data<T>();
    const T *means = mean.data<T>(), *rstds = rstd.data<T>();
    T *out = dx ? dx.mutate<T>() : nullptr, *sums = partial.mutate<T>();
    const bool parameters = dweight || dbias;
    parallel_rows(chunks, rows * n / chunks, [&](int64_t chunk) HWY_ATTR {
      T *of_weight = sums + chunk * 2 * n, *of_bias = of_weight + n;
      for (int64_t row = rows * chunk / chunks; row < rows * (chunk + 1) / chunks; ++row) {
        const RowBackward<T> r{.g = pg + row * n,
                               .x = px + row * n,
                               .weight = w,
                               .mean = means[row],
                               .rstd = rstds[row],
                               .size = n};
        if (out) r.input_gradient(out + row * n);
        if (parameters) r.add_parameter_gradients(of_weight, of_bias);
      }
    });
    const auto add_chunks = [&](const Tensor& gradient, int64_t which) {
      if (!gradient) return;
      T* o = gradient.mutate<T>();
      std::fill(o, o + n, T{0});
      for (int64_t chunk = 0; chunk < chunks; ++chunk) {
        for (int64_t i = 0; i < n; ++i) o[i] += sums[(chunk * 2 + which) * n + i];
      }
    };
    add_chunks(dweight, 0);
    add_chunks(dbias, 1);
  });
}

}  // namespace
}  // namespace fade::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fade {

FADE_SIMD_KERNEL(layer_norm_forward, forward);
FADE_SIMD_KERNEL(layer_norm_backward, backward);

}  // namespace fade
#endif
