#include "engine/cuda/column_sums.h"
#include "engine/cuda/rows.h"
#include "ops/row_dots/row_dots_kernels.h"

namespace fade {
namespace {

template <class T>
struct Dot {
  using C = compute_t<T>;
  JoinedRows<T> x;
  const C* weight;
  C* y;
  __device__ void operator()(const auto& row) const {
    const C dot = row.sum([](C v, C w) { return v * w; }, x[row.index], weight);
    if (row.lane == 0) y[row.index] = dot;
  }
};

// dx = g·weight
template <class T>
struct RowGradient {
  using C = compute_t<T>;
  const C *g, *weight;
  T* dx;
  __device__ void operator()(const auto& row) const {
    const C factor = g[row.index];
    row.map([=](C w) { return factor * w; }, dx + row.start(), weight);
  }
};

// Σ g·x
template <class T>
struct WeightGradient {
  using C = compute_t<T>;
  const C* g;
  JoinedRows<T> x;
  template <int N>
  __device__ void add(int64_t row, int64_t column, C (&sum)[1][N]) const {
    const Pack<T, N> xi = load_pack<N>(x[row] + column);
    const C factor = g[row];
    for (int k = 0; k < N; ++k) sum[0][k] += factor * xi.v[k];
  }
};

void forward(const Tensor& top, const Tensor& bottom, const Tensor& weight, Out y) {
  dispatch_stored_float(top.dtype(), "row_dots", [&]<class T>() {
    using C = compute_t<T>;
    const JoinedRows<T> x(top, bottom);
    const C* w = weight.data<C>();
    launch_rows("row_dots", {y.numel(), x.width}, Dot<T>{x, w, y.mutate<C>()}, x.top, x.bottom, w);
  });
}

void backward(const Tensor& g, const Tensor& top, const Tensor& bottom, const Tensor& weight, Out dtop,
              Out dbottom, Out dweight) {
  dispatch_stored_float(top.dtype(), "row_dots", [&]<class T>() {
    using C = compute_t<T>;
    const JoinedRows<T> x(top, bottom);
    const C *gs = g.data<C>(), *w = weight.data<C>();
    const auto scaled = [&](const Tensor& dx, const C* of) {
      if (!dx) return;
      T* out = dx.mutate<T>();
      launch_rows("row_dots_backward", {dx.size(0), x.width}, RowGradient<T>{of, w, out}, w, out);
    };
    scaled(dtop, gs);
    scaled(dbottom, gs + x.split);
    if (dweight)
      sum_columns<C>("row_dots_weight", g.numel(), x.width, WeightGradient<T>{gs, x}, {dweight}, x.top,
                     x.bottom);
  });
}

[[maybe_unused]] const bool registered =
    row_dots_forward.implement(Device::cuda, forward) && row_dots_backward.implement(Device::cuda, backward);

}  // namespace
}  // namespace fade
