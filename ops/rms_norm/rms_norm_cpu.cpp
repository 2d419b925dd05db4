#include <algorithm>
#include <cmath>

#include "ops/rms_norm/rms_norm_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/rms_norm/rms_norm_cpu.cpp"
#include "hwy/foreach_target.h"  // compiles this file again for each instruction set

#include "engine/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {
namespace {

void forward(const Tensor& x, const Tensor& weight, Heads heads, double eps, Out y, Out r) {
  dispatch_float(x.dtype(), "rms_norm", [&]<class T>() HWY_ATTR {
    const T *in = x.data<T>(), *w = weight.data<T>();
    T *out = y.mutate<T>(), *factors = r.mutate<T>();
    const int64_t n = weight.numel(), columns = n * heads.all;
    parallel_rows(r.size(0), columns, [&](int64_t row) HWY_ATTR {
      const T* from = in + row * columns;
      T *to = out + row * columns, *factor = factors + row * heads.normalised;
      for (int64_t h = 0; h < heads.normalised; ++h, from += n, to += n, ++factor) {
        const T squares = sum_over<T>(n, [&](auto d, int64_t i) HWY_ATTR {
          return hn::Mul(hn::LoadU(d, from + i), hn::LoadU(d, from + i));
        });
        *factor = 1 / std::sqrt(squares / static_cast<T>(n) + static_cast<T>(eps));
        for_each_vector<T>(n, [&](auto d, int64_t i) HWY_ATTR {
          const auto normal = hn::Mul(hn::LoadU(d, from + i), hn::Set(d, *factor));
          hn::StoreU(hn::Mul(normal, hn::LoadU(d, w + i)), d, to + i);
        });
      }
      std::copy_n(from, n * (heads.all - heads.normalised), to);
    });
  });
}

// The backward pass of one head, with n its normalised values and d = g·weight.
template <class T>
struct HeadBackward {
  const T *g, *x, *weight;
  T r;
  int64_t size;

  HWY_INLINE auto normal(auto d, int64_t i) const { return hn::Mul(hn::LoadU(d, x + i), hn::Set(d, r)); }
  HWY_INLINE auto scaled(auto d, int64_t i) const {
    return hn::Mul(hn::LoadU(d, g + i), hn::LoadU(d, weight + i));
  }

  // dx = r·(d − n·mean(d·n))
  HWY_INLINE void input_gradient(T* dx) const {
    const T sum =
        sum_over<T>(size, [&](auto d, int64_t i) HWY_ATTR { return hn::Mul(scaled(d, i), normal(d, i)); });
    const T mean = sum / static_cast<T>(size);
    for_each_vector<T>(size, [&](auto d, int64_t i) HWY_ATTR {
      const auto rest = hn::NegMulAdd(normal(d, i), hn::Set(d, mean), scaled(d, i));
      hn::StoreU(hn::Mul(rest, hn::Set(d, r)), d, dx + i);
    });
  }

  // dweight += g·n
  HWY_INLINE void add_weight_gradient(T* dweight) const {
    for_each_vector<T>(size, [&](auto d, int64_t i) HWY_ATTR {
      hn::StoreU(hn::MulAdd(hn::LoadU(d, g + i), normal(d, i), hn::LoadU(d, dweight + i)), d, dweight + i);
    });
  }
};

void backward(const Tensor& g, const Tensor& x, const Tensor& weight, const Tensor& r, Heads heads, Out dx,
              Out dweight) {
  // Rows are cut into chunks, whatever the number of threads. Each chunk sums its own dweight, and the sums of
  // the chunks are added in order.
  const int64_t n = weight.numel(), columns = n * heads.all, rows = r.size(0), K = heads.normalised;
  const int64_t chunks = std::clamp<int64_t>(rows / 32, 1, 64);
  const Tensor partial = Tensor::zeros({chunks, n}, x.dtype());
  dispatch_float(x.dtype(), "rms_norm", [&]<class T>() HWY_ATTR {
    const T *gs = g.data<T>(), *in = x.data<T>(), *w = weight.data<T>(), *factors = r.data<T>();
    T *out = dx ? dx.mutate<T>() : nullptr, *sums = partial.mutate<T>();
    parallel_rows(chunks, rows * columns / chunks, [&](int64_t chunk) HWY_ATTR {
      for (int64_t row = rows * chunk / chunks; row < rows * (chunk + 1) / chunks; ++row) {
        int64_t at = row * columns;
        for (int64_t h = 0; h < K; ++h, at += n) {
          const HeadBackward<T> head{gs + at, in + at, w, factors[row * K + h], n};
          if (out) head.input_gradient(out + at);
          if (dweight) head.add_weight_gradient(sums + chunk * n);
        }
        if (out) std::copy_n(gs + at, n * (heads.all - K), out + at);
      }
    });
    if (!dweight) return;
    T* total = dweight.mutate<T>();
    std::fill_n(total, n, T{0});
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
      for (int64_t i = 0; i < n; ++i) total[i] += sums[chunk * n + i];
    }
  });
}

}  // namespace
}  // namespace fade::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fade {

FADE_SIMD_KERNEL(rms_norm_forward, forward);
FADE_SIMD_KERNEL(rms_norm_backward, backward);

}  // namespace fade
#endif
