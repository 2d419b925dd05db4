#include "engine/cuda/cuda.h"
#include "ops/gather/gather_kernels.h"

namespace fade {
namespace {

// One thread per element.
template <class T>
struct Gather {
  const T* x;
  const int32_t* index;
  IndexCheck check;
  Along s;
  int64_t m;
  T* y;
  __device__ void operator()(int64_t place) const {
    const int64_t o = place / s.inner / m, i = place % s.inner;
    y[place] = check(index[place], place, s.n) ? x[(o * s.n + index[place]) * s.inner + i] : T{0};
  }
};

// One thread per line, so that every sum has its order: atomics would add in any. Neighbouring threads read
// neighbouring elements where lines lie side by side. A few long lines keep few threads busy.
template <class T>
struct ScatterAdd {
  const T* source;
  const int32_t* index;
  IndexCheck check;
  Along s;
  int64_t m;
  T* y;
  __device__ void operator()(int64_t line) const {
    const int64_t o = line / s.inner, i = line % s.inner;
    for (int64_t k = 0; k < m; ++k) {
      const int64_t place = (o * m + k) * s.inner + i;
      if (check(index[place], place, s.n)) y[(o * s.n + index[place]) * s.inner + i] += source[place];
    }
  }
};

void gather_cuda(const char* op, const Tensor& x, const Tensor& index, Along s, int64_t m, Out y) {
  dispatch_float(x.dtype(), op, [&]<class T>() {
    launch_each(op, y.numel(),
                Gather<T>{x.data<T>(), index.data<int32_t>(), index_check(op, "index"), s, m, y.mutate<T>()});
  });
}

void scatter_add_cuda(const char* op, const Tensor& source, const Tensor& index, Along s, int64_t m, Out y) {
  dispatch_float(source.dtype(), op, [&]<class T>() {
    launch_each(op, s.outer * s.inner,
                ScatterAdd<T>{source.data<T>(), index.data<int32_t>(), index_check(op, "index"), s, m,
                              y.mutate<T>()});
  });
}

[[maybe_unused]] const bool registered = gather_kernel.implement(Device::cuda, gather_cuda) &&
                                         scatter_add_kernel.implement(Device::cuda, scatter_add_cuda);

}  // namespace
}  // namespace fade
