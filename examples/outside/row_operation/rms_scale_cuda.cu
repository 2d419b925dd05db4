#include <fade/engine/cuda/rows.h>

#include "rms_scale.h"

using namespace fade;

template <class T>
struct RmsScale {
  const T* x;
  T *y, *r;
  __device__ void operator()(const auto& row) const {
    const T* in = x + row.start();
    const T mean = row.sum([](T v) { return v * v; }, in) / static_cast<T>(row.size);
    const T factor = 1 / std::sqrt(mean + static_cast<T>(1e-5));
    row.map([=](T v) { return v * factor; }, y + row.start(), in);
    if (row.lane == 0) r[row.index] = factor;
  }
};

void on_cuda(const Tensor& x, Out y, Out r) {
  dispatch_float(x.dtype(), "rms_scale", [&]<class T>() {
    const T* in = x.data<T>();
    T* out = y.mutate<T>();
    launch_rows("rms_scale", {r.numel(), x.size(-1)}, RmsScale<T>{in, out, r.mutate<T>()}, in, out);
  });
}
const bool registered = rms_scale_kernel.implement(Device::cuda, on_cuda);
