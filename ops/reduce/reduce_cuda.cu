#include "engine/cuda/map.h"
#include "engine/cuda/sum.h"
#include "ops/reduce/reduce_kernels.h"

namespace fade {
namespace {

void sum_cuda(const Tensor& x, Along s, double factor, Out y) {
  sum_middle("sum", x, {s.outer, s.n, s.inner}, factor, y);
}

template <class T>
struct Times {
  T factor;
  __device__ T operator()(T g) const { return factor * g; }
};

void broadcast_cuda(const Tensor& g, Along s, double factor, Out dx) {
  dispatch_float(g.dtype(), "sum", [&]<class T>() {
    map_strided("sum_backward", Times<T>{static_cast<T>(factor)}, {s.outer, s.n, s.inner},
                StridedView{dx.mutate<T>(), {s.n * s.inner, s.inner, 1}},
                StridedView{g.data<T>(), {s.inner, 0, 1}});
  });
}

// One thread per result: neighbouring threads read neighbouring columns. (Along the last dimension they read
// far apart; only small tensors need that.)
template <class T>
struct Find {
  const T* x;
  Along s;
  Extreme which;
  T* y;
  int32_t* index;
  __device__ void operator()(int64_t i) const {
    const T* in = x + i / s.inner * s.n * s.inner + i % s.inner;
    T best = in[0];
    int32_t first = 0;
    for (int64_t k = 1; k < s.n; ++k) {
      const T v = in[k * s.inner];
      if (!beats(v, best, which)) continue;
      best = v;
      first = static_cast<int32_t>(k);
    }
    y[i] = best;
    index[i] = first;
  }
};

void extreme_forward_cuda(const char* op, const Tensor& x, Along s, Extreme which, Out y, Out index) {
  dispatch_float(x.dtype(), op, [&]<class T>() {
    launch_each(op, y.numel(), Find<T>{x.data<T>(), s, which, y.mutate<T>(), index.mutate<int32_t>()});
  });
}

template <class T>
struct ExtremeBackward {
  const T* g;
  const int32_t* index;
  Along s;
  T* dx;
  __device__ void operator()(int64_t i) const {
    const int64_t of_result = i / (s.n * s.inner) * s.inner + i % s.inner;
    dx[i] = i / s.inner % s.n == index[of_result] ? g[of_result] : T{0};
  }
};

void extreme_backward_cuda(const Tensor& g, const Tensor& index, Along s, Out dx) {
  dispatch_float(g.dtype(), "max", [&]<class T>() {
    launch_each("max_backward", dx.numel(),
                ExtremeBackward<T>{g.data<T>(), index.data<int32_t>(), s, dx.mutate<T>()});
  });
}

[[maybe_unused]] const bool registered = sum_kernel.implement(Device::cuda, sum_cuda) &&
                                         broadcast_kernel.implement(Device::cuda, broadcast_cuda) &&
                                         extreme_forward.implement(Device::cuda, extreme_forward_cuda) &&
                                         extreme_backward.implement(Device::cuda, extreme_backward_cuda);

}  // namespace
}  // namespace fade
