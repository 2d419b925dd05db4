#include "ops/row_dots/row_dots_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/row_dots/row_dots_cpu.cpp"
#include "hwy/foreach_target.h"  // compiles this file again for each instruction set

#include "engine/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {
namespace {

void forward(const Tensor& top, const Tensor& bottom, const Tensor& weight, Out y) {
  dispatch_float(top.dtype(), "row_dots", [&]<class T>() HWY_ATTR {
    const JoinedRows<T> x(top, bottom);
    const T* w = weight.data<T>();
    T* out = y.mutate<T>();
    parallel_rows(y.numel(), x.width, [&](int64_t n) HWY_ATTR {
      const T* row = x[n];
      out[n] = sum_over<T>(x.width, [&](auto d, int64_t i) HWY_ATTR {
        return hn::Mul(hn::LoadU(d, row + i), hn::LoadU(d, w + i));
      });
    });
  });
}

// to += factor·from
template <class T>
HWY_INLINE void add_scaled(int64_t width, T factor, const T* from, T* to) {
  for_each_vector<T>(width, [&](auto d, int64_t i) HWY_ATTR {
    hn::StoreU(hn::MulAdd(hn::Set(d, factor), hn::LoadU(d, from + i), hn::LoadU(d, to + i)), d, to + i);
  });
}

void backward(const Tensor& g, const Tensor& top, const Tensor& bottom, const Tensor& weight, Out dtop,
              Out dbottom, Out dweight) {
  dispatch_float(top.dtype(), "row_dots", [&]<class T>() HWY_ATTR {
    const JoinedRows<T> x(top, bottom);
    const T *gs = g.data<T>(), *w = weight.data<T>();
    const auto scaled = [&](const Tensor& dx, const T* of) HWY_ATTR {
      if (!dx) return;
      T* out = dx.mutate<T>();
      parallel_rows(dx.size(0), x.width, [&](int64_t n) HWY_ATTR {
        for_each_vector<T>(x.width, [&](auto d, int64_t i) HWY_ATTR {
          hn::StoreU(hn::Mul(hn::Set(d, of[n]), hn::LoadU(d, w + i)), d, out + n * x.width + i);
        });
      });
    };
    scaled(dtop, gs);
    scaled(dbottom, gs + x.split);
    if (!dweight) return;
    // Chunks of rows, whatever the number of threads; their sums are added in order.
    const int64_t rows = g.numel(), chunks = std::clamp<int64_t>(rows / 32, 1, 64);
    const Tensor partial = Tensor::zeros({chunks, x.width}, dweight.dtype());
    T *sums = partial.mutate<T>(), *out = dweight.mutate<T>();
    parallel_rows(chunks, rows * x.width / chunks, [&](int64_t chunk) HWY_ATTR {
      for (int64_t n = rows * chunk / chunks; n < rows * (chunk + 1) / chunks; ++n)
        add_scaled(x.width, gs[n], x[n], sums + chunk * x.width);
    });
    std::fill(out, out + x.width, T{0});
    for (int64_t chunk = 0; chunk < chunks; ++chunk) add_scaled(x.width, T{1}, sums + chunk * x.width, out);
  });
}

}  // namespace
}  // namespace fade::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fade {

FADE_SIMD_KERNEL(row_dots_forward, forward);
FADE_SIMD_KERNEL(row_dots_backward, backward);

}  // namespace fade
#endif
