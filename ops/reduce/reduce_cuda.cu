#include "engine/cuda/map.h"
#include "engine/cuda/sum.h"
#include "ops/reduce/reduce_kernels.h"

namespace fade {
namespace {

void sum_cuda(const Tensor& x, ReduceSizes s, double factor, Out y) {
  sum_middle("sum", x, {s.outer, s.n, s.inner}, factor, y);
}

template <class T>
struct Times {
  T factor;
  __device__ T operator()(T g) const { return factor * g; }
};

void broadcast_cuda(const Tensor& g, ReduceSizes s, double factor, Out dx) {
  dispatch_float(g.dtype(), "sum", [&]<class T>() {
    map_strided("sum_backward", Times<T>{static_cast<T>(factor)}, {s.outer, s.n, s.inner},
                StridedView{dx.mutate<T>(), {s.n * s.inner, s.inner, 1}},
                StridedView{g.data<T>(), {s.inner, 0, 1}});
  });
}

// One thread per result: neighbouring threads read neighbouring columns. (Along the last dimension they read
// far apart; only small tensors need that.)
template <class T>
struct Largest {
  const T* x;
  ReduceSizes s;
  T* y;
  int32_t* index;
  __device__ void operator()(int64_t i) const {
    const T* in = x + i / s.inner * s.n * s.inner + i % s.inner;
    T largest = in[0];
    int32_t first = 0;
    for (int64_t k = 1; k < s.n; ++k) {
      const T v = in[k * s.inner];
      if (!(v > largest || (v != v && largest == largest))) continue;
      largest = v;
      first = static_cast<int32_t>(k);
    }
    y[i] = largest;
    index[i] = first;
  }
};

void max_forward_cuda(const Tensor& x, ReduceSizes s, Out y, Out index) {
  dispatch_float(x.dtype(), "max", [&]<class T>() {
    launch_each("max", y.numel(), Largest<T>{x.data<T>(), s, y.mutate<T>(), index.mutate<int32_t>()});
  });
}

template <class T>
struct MaxBackward {
  const T* g;
  const int32_t* index;
  ReduceSizes s;
  T* dx;
  __device__ void operator()(int64_t i) const {
    const int64_t of_result = i / (s.n * s.inner) * s.inner + i % s.inner;
    dx[i] = i / s.inner % s.n == index[of_result] ? g[of_result] : T{0};
  }
};

void max_backward_cuda(const Tensor& g, const Tensor& index, ReduceSizes s, Out dx) {
  dispatch_float(g.dtype(), "max", [&]<class T>() {
    launch_each("max_backward", dx.numel(),
                MaxBackward<T>{g.data<T>(), index.data<int32_t>(), s, dx.mutate<T>()});
  });
}

[[maybe_unused]] const bool registered = sum_kernel.implement(Device::cuda, sum_cuda) &&
                                         broadcast_kernel.implement(Device::cuda, broadcast_cuda) &&
                                         max_forward.implement(Device::cuda, max_forward_cuda) &&
                                         max_backward.implement(Device::cuda, max_backward_cuda);

}  // namespace
}  // namespace fade
