#include "engine/cuda/column_sums.h"
#include "engine/cuda/rows.h"
#include "ops/layer_norm/layer_norm_kernels.h"

namespace fade {
namespace {

template <class T>
struct Forward {
  using C = compute_t<T>;
  const T *x, *residual;
  const C *weight, *bias;
  C eps;
  T *sum, *y;
  C *mean, *rstd;

  __device__ void operator()(const auto& row) const {
    const T* xr = x + row.start();
    if (!residual)
      return normalise(
          row, [](C v) { return v; }, xr);
    const T* other = residual + row.start();
    const auto rounded_sum = [](C a, C b) { return static_cast<C>(static_cast<T>(a + b)); };
    row.map(rounded_sum, sum + row.start(), xr, other);
    normalise(row, rounded_sum, xr, other);
  }

  // Of the row value(in[i]...).
  template <class F, class... In>
  __device__ void normalise(const auto& row, const F& value, const In*... in) const {
    const C count = static_cast<C>(row.size);
    const C m = row.sum(value, in...) / count;
    const C variance = row.sum(
                           [=](In... v) {
                             const C centred = value(v...) - m;
                             return centred * centred;
                           },
                           in...) /
                       count;
    const C r = 1 / std::sqrt(variance + eps);
    row.map([=](C w, C b, In... v) { return (value(v...) - m) * r * w + b; }, y + row.start(), weight, bias,
            in...);
    if (row.lane != 0) return;
    mean[row.index] = m;
    rstd[row.index] = r;
  }
};

template <class T>
struct Backward {
  using C = compute_t<T>;
  const T *g, *x;
  const C *weight, *mean, *rstd;
  T* dx;  // or null
  int64_t columns;

  // dx = rstd·(d − mean(d) − n·mean(d·n)), with n the normalised values of the row and d = g·weight.
  __device__ void operator()(const auto& row) const {
    if (!dx) return;
    const T *gr = g + row.start(), *xr = x + row.start();
    const C m = mean[row.index], r = rstd[row.index], count = static_cast<C>(row.size);
    const C mean_d = row.sum([](C gi, C w) { return gi * w; }, gr, weight) / count;
    const C mean_dn = row.sum([=](C gi, C w, C v) { return gi * w * (v - m) * r; }, gr, weight, xr) / count;
    row.map([=](C gi, C w, C v) { return r * (gi * w - mean_d - (v - m) * r * mean_dn); }, dx + row.start(),
            gr, weight, xr);
  }
  // Σ g·n and Σ g.
  template <int N>
  __device__ void add(int64_t row, int64_t column, C (&sum)[2][N]) const {
    const Pack<T, N> gi = load_pack<N>(g + row * columns + column),
                     xi = load_pack<N>(x + row * columns + column);
    const C m = mean[row], r = rstd[row];
    for (int k = 0; k < N; ++k) {
      sum[0][k] += gi.v[k] * (xi.v[k] - m) * r;
      sum[1][k] += gi.v[k];
    }
  }
};

void forward_cuda(const Tensor& x, const Tensor& residual, const Tensor& weight, const Tensor& bias,
                  double eps, Out sum, Out y, Out mean, Out rstd) {
  dispatch_stored_float(x.dtype(), "layer_norm", [&]<class T>() {
    using C = compute_t<T>;
    const T *px = x.data<T>(), *other = residual ? residual.data<T>() : nullptr;
    const C *w = weight.data<C>(), *b = bias.data<C>();
    T *out = y.mutate<T>(), *sums = sum ? sum.mutate<T>() : nullptr;
    const Forward<T> f{.x = px,
                       .residual = other,
                       .weight = w,
                       .bias = b,
                       .eps = static_cast<C>(eps),
                       .sum = sums,
                       .y = out,
                       .mean = mean.mutate<C>(),
                       .rstd = rstd.mutate<C>()};
    launch_rows("layer_norm", {mean.numel(), x.size(-1)}, f, px, other, w, b, sums, out);
  });
}

void backward_cuda(const Tensor& g, const Tensor& x, const Tensor& weight, const Tensor& mean,
                   const Tensor& rstd, Out dx, Out dweight, Out dbias) {
  const int64_t n = x.size(-1);
  dispatch_stored_float(x.dtype(), "layer_norm", [&]<class T>() {
    using C = compute_t<T>;
    const Backward<T> f{.g = g.data<T>(),
                        .x = x.data<T>(),
                        .weight = weight.data<C>(),
                        .mean = mean.data<C>(),
                        .rstd = rstd.data<C>(),
                        .dx = dx ? dx.mutate<T>() : nullptr,
                        .columns = n};
    sum_columns<C>("layer_norm_backward", mean.numel(), n, f, {dweight, dbias}, f.g, f.x, f.weight, f.dx);
  });
}

[[maybe_unused]] const bool registered = layer_norm_forward.implement(Device::cuda, forward_cuda) &&
                                         layer_norm_backward.implement(Device::cuda, backward_cuda);

}  // namespace
}  // namespace fade
