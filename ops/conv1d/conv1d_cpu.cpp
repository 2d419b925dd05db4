#include <algorithm>

#include "engine/parallel.h"
#include "ops/conv1d/conv1d_kernels.h"

namespace fade {
namespace {

// Calls f(k, position) for the elements k of the kernel that lie on the line in window t.
template <class F>
void for_each_inside(const Conv1dSizes& s, int64_t t, const F& f) {
  for (int64_t k = 0, at = t * s.options.stride - s.options.padding; k < s.kernel;
       ++k, at += s.options.dilation)
    if (at >= 0 && at < s.length) f(k, at);
}

void im2col_cpu(const Tensor& x, const Conv1dSizes& s, Out columns) {
  dispatch_float(x.dtype(), "conv1d", [&]<class T>() {
    const T* in = x.data<T>();
    T* out = columns.mutate<T>();
    const int64_t groups = s.options.groups, width = s.channels * s.kernel;
    parallel_rows(groups * s.batch * s.windows, width, [&](int64_t row) {
      const int64_t t = row % s.windows, b = row / s.windows % s.batch, group = row / s.windows / s.batch;
      T* window = out + row * width;
      std::fill_n(window, width, T{0});
      for (int64_t c = 0; c < s.channels; ++c) {
        const T* line = in + ((b * groups + group) * s.channels + c) * s.length;
        for_each_inside(s, t, [&](int64_t k, int64_t at) { window[c * s.kernel + k] = line[at]; });
      }
    });
  });
}

// Each line of dx is added up by one thread, window after window.
void col2im_cpu(const Tensor& dcolumns, const Conv1dSizes& s, Out dx) {
  dispatch_float(dx.dtype(), "conv1d", [&]<class T>() {
    const T* in = dcolumns.data<T>();
    T* out = dx.mutate<T>();
    const int64_t groups = s.options.groups, width = s.channels * s.kernel;
    parallel_rows(s.batch * groups * s.channels, s.windows * s.kernel, [&](int64_t row) {
      const int64_t c = row % s.channels, group = row / s.channels % groups, b = row / s.channels / groups;
      T* line = out + row * s.length;
      std::fill_n(line, s.length, T{0});
      for (int64_t t = 0; t < s.windows; ++t) {
        const T* window = in + ((group * s.batch + b) * s.windows + t) * width + c * s.kernel;
        for_each_inside(s, t, [&](int64_t k, int64_t at) { line[at] += window[k]; });
      }
    });
  });
}

[[maybe_unused]] const bool registered =
    im2col.implement(Device::cpu, im2col_cpu) && col2im.implement(Device::cpu, col2im_cpu);

}  // namespace
}  // namespace fade
