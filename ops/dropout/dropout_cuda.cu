#include "engine/cuda/map.h"
#include "ops/dropout/dropout_kernels.h"

namespace fade {
namespace {

// Four elements, which share one draw of the generator, in packs of N.
template <class T, int N>
struct Group {
  const T* x;
  DropoutMask mask;
  int64_t n;
  T* y;
  __device__ void operator()(int64_t group) const {
    const uint32_t kept = mask.kept(static_cast<uint64_t>(group));
    const T factor = static_cast<T>(mask.factor);
    const int64_t begin = 4 * group, end = begin + 4 < n ? begin + 4 : n;
    int64_t i = begin;
    for (; i + N <= end; i += N) {
      Pack<T, N> pack = load_pack<N>(x + i);
      for (int k = 0; k < N; ++k) pack.v[k] = kept >> (i - begin + k) & 1 ? factor * pack.v[k] : T{0};
      store_pack(y + i, pack);
    }
    for (; i < end; ++i) y[i] = kept >> (i - begin) & 1 ? factor * x[i] : T{0};
  }
};

void apply(const Tensor& x, const DropoutMask& mask, Out y) {
  dispatch_float(x.dtype(), "dropout", [&]<class T>() {
    const T* in = x.data<T>();
    T* out = y.mutate<T>();
    const int64_t n = x.numel(), groups = (n + 3) / 4;
    if (constexpr int N = kPackOf<T>; takes_packs<N>(in) && takes_packs<N>(out))
      launch_each("dropout", groups, Group<T, N>{in, mask, n, out});
    else
      launch_each("dropout", groups, Group<T, 1>{in, mask, n, out});
  });
}

[[maybe_unused]] const bool registered = dropout_kernel.implement(Device::cuda, apply);

}  // namespace
}  // namespace fade
