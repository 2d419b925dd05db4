#include "engine/cuda/cuda.h"
#include "ops/conv1d/conv1d_kernels.h"

namespace fade {
namespace {

// One thread per element of the columns.
template <class T>
struct Im2col {
  const T* x;
  Conv1dSizes s;
  T* columns;
  __device__ void operator()(int64_t i) const {
    const int64_t k = i % s.kernel, c = i / s.kernel % s.channels, row = i / s.kernel / s.channels;
    const int64_t t = row % s.windows, b = row / s.windows % s.batch, group = row / s.windows / s.batch;
    const int64_t at = t * s.options.stride - s.options.padding + k * s.options.dilation;
    const int64_t line = (b * s.options.groups + group) * s.channels + c;
    columns[i] = at >= 0 && at < s.length ? x[line * s.length + at] : T{0};
  }
};

// One thread per element of dx. The element is the k-th of window t where
// t·stride = position + padding − k·dilation.
template <class T>
struct Col2im {
  const T* dcolumns;
  Conv1dSizes s;
  T* dx;
  __device__ void operator()(int64_t i) const {
    const int64_t position = i % s.length, line = i / s.length, c = line % s.channels;
    const int64_t group = line / s.channels % s.options.groups, b = line / s.channels / s.options.groups;
    T sum = 0;
    for (int64_t k = 0; k < s.kernel; ++k) {
      const int64_t first = position + s.options.padding - k * s.options.dilation,
                    t = first / s.options.stride;
      if (first < 0 || first % s.options.stride != 0 || t >= s.windows) continue;
      sum += dcolumns[(((group * s.batch + b) * s.windows + t) * s.channels + c) * s.kernel + k];
    }
    dx[i] = sum;
  }
};

void im2col_cuda(const Tensor& x, const Conv1dSizes& s, Out columns) {
  dispatch_float(x.dtype(), "conv1d", [&]<class T>() {
    launch_each("conv1d", columns.numel(), Im2col<T>{x.data<T>(), s, columns.mutate<T>()});
  });
}

void col2im_cuda(const Tensor& dcolumns, const Conv1dSizes& s, Out dx) {
  dispatch_float(dx.dtype(), "conv1d", [&]<class T>() {
    launch_each("conv1d_backward", dx.numel(), Col2im<T>{dcolumns.data<T>(), s, dx.mutate<T>()});
  });
}

[[maybe_unused]] const bool registered =
    im2col.implement(Device::cuda, im2col_cuda) && col2im.implement(Device::cuda, col2im_cuda);

}  // namespace
}  // namespace fade
