#include "engine/cuda/cuda.h"
#include "ops/cumsum/cumsum_kernels.h"

namespace fade {
namespace {

// One thread per line, where lines lie side by side: neighbouring threads read neighbouring elements.
template <class T>
struct Line {
  const T* x;
  Along s;
  bool reverse;
  T* y;
  __device__ void operator()(int64_t line) const {
    const int64_t start = line / s.inner * s.n * s.inner + line % s.inner;
    double total = 0;
    for (int64_t k = 0; k < s.n; ++k) {
      const int64_t at = start + (reverse ? s.n - 1 - k : k) * s.inner;
      y[at] = static_cast<T>(total += x[at]);
    }
  }
};

constexpr int kBlock = 256, kWarps = kBlock / kWarp;

// One warp per line, where the elements of a line lie side by side. In every step the lanes take the next 32:
// each adds up those at its own element and before it, in five rounds, and then what came before the 32.
template <class T>
__global__ void rows(const T* x, int64_t count, int64_t n, bool reverse, T* y) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp;
  if (row >= count) return;
  double before = 0;
  for (int64_t begin = 0; begin < n; begin += kWarp) {
    const int64_t k = begin + lane, at = row * n + (reverse ? n - 1 - k : k);
    double total = k < n ? x[at] : 0;
    for (int distance = 1; distance < kWarp; distance *= 2) {
      const double more = __shfl_up_sync(~0u, total, static_cast<unsigned>(distance));
      if (lane >= distance) total += more;
    }
    total += before;
    if (k < n) y[at] = static_cast<T>(total);
    before = __shfl_sync(~0u, total, kWarp - 1);
  }
}

void cumsum_cuda(const Tensor& x, Along s, bool reverse, Out y) {
  dispatch_float(x.dtype(), "cumsum", [&]<class T>() {
    const T* in = x.data<T>();
    T* out = y.mutate<T>();
    if (s.inner == 1)
      launch("cumsum", rows<T>, static_cast<unsigned>((s.outer + kWarps - 1) / kWarps), kBlock, 0, in,
             s.outer, s.n, reverse, out);
    else
      launch_each("cumsum", s.outer * s.inner, Line<T>{in, s, reverse, out});
  });
}

[[maybe_unused]] const bool registered = cumsum_kernel.implement(Device::cuda, cumsum_cuda);

}  // namespace
}  // namespace fade
