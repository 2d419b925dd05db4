#include "engine/cuda/rows.h"
#include "ops/rms_norm/rms_norm_kernels.h"

namespace fade {
namespace {

template <class T>
struct Forward {
  const T *x, *weight;
  T eps;
  T *y, *r;
  __device__ void operator()(const auto& row) const {
    const T* in = x + row.start();
    const T mean = row.sum([](T v) { return v * v; }, in) / static_cast<T>(row.size);
    const T factor = 1 / std::sqrt(mean + eps);
    row.map([=](T v, T w) { return v * factor * w; }, y + row.start(), in, weight);
    if (row.lane == 0) r[row.index] = factor;
  }
};

template <class T>
struct Backward {
  const T *g, *x, *weight, *r;
  T* dx;
  __device__ void operator()(const auto& row) const {
    const T *gs = g + row.start(), *in = x + row.start();
    const T factor = r[row.index];
    const T sum = row.sum([=](T gi, T w, T v) { return gi * w * v * factor; }, gs, weight, in);
    const T mean = sum / static_cast<T>(row.size);
    row.map([=](T gi, T w, T v) { return factor * (gi * w - v * factor * mean); }, dx + row.start(), gs,
            weight, in);
  }
};

template <class T>
struct WeightBackward {
  const T *g, *x, *r;
  T* gn;
  __device__ void operator()(const auto& row) const {
    const T factor = r[row.index];
    row.map([=](T gi, T v) { return gi * v * factor; }, gn + row.start(), g + row.start(), x + row.start());
  }
};

void forward(const Tensor& x, const Tensor& weight, double eps, Out y, Out r) {
  dispatch_float(x.dtype(), "rms_norm", [&]<class T>() {
    const T *in = x.data<T>(), *w = weight.data<T>();
    T* out = y.mutate<T>();
    launch_rows("rms_norm", {r.numel(), x.size(-1)},
                Forward<T>{in, w, static_cast<T>(eps), out, r.mutate<T>()}, in, w, out);
  });
}

void backward(const Tensor& g, const Tensor& x, const Tensor& weight, const Tensor& r, Out dx) {
  dispatch_float(x.dtype(), "rms_norm", [&]<class T>() {
    const T *gs = g.data<T>(), *in = x.data<T>(), *w = weight.data<T>();
    T* out = dx.mutate<T>();
    launch_rows("rms_norm_backward", {r.numel(), x.size(-1)}, Backward<T>{gs, in, w, r.data<T>(), out}, gs,
                in, w, out);
  });
}

void weight_backward(const Tensor& g, const Tensor& x, const Tensor& r, Out gn) {
  dispatch_float(x.dtype(), "rms_norm", [&]<class T>() {
    const T *gs = g.data<T>(), *in = x.data<T>();
    T* out = gn.mutate<T>();
    launch_rows("rms_norm_weight_backward", {r.numel(), x.size(-1)},
                WeightBackward<T>{gs, in, r.data<T>(), out}, gs, in, out);
  });
}

[[maybe_unused]] const bool registered = rms_norm_forward.implement(Device::cuda, forward) &&
                                         rms_norm_backward.implement(Device::cuda, backward) &&
                                         rms_norm_weight_backward.implement(Device::cuda, weight_backward);

}  // namespace
}  // namespace fade
