#include "engine/cuda/map.h"
#include "ops/dropout/dropout_kernels.h"

namespace fade {
namespace {

// Eight elements, which share one draw of the generator, in packs of N.
template <class T, int N>
struct Group {
  const T* x;
  DropoutMask mask;
  int64_t n;
  T* y;
  __device__ void operator()(int64_t group) const {
    const uint32_t kept = mask.kept(static_cast<uint64_t>(group));
    const auto factor = static_cast<compute_t<T>>(mask.factor);
    const auto drop = [=](T v, int64_t j) { return kept >> j & 1 ? static_cast<T>(factor * v) : T(0); };
    const int64_t begin = 8 * group, end = begin + 8 < n ? begin + 8 : n;
    int64_t i = begin;
    for (; i + N <= end; i += N) {
      Pack<T, N> pack = load_pack<N>(x + i);
      for (int k = 0; k < N; ++k) pack.v[k] = drop(pack.v[k], i - begin + k);
      store_pack(y + i, pack);
    }
    for (; i < end; ++i) y[i] = drop(x[i], i - begin);
  }
};

void apply(const Tensor& x, const DropoutMask& mask, Out y) {
  dispatch_stored_float(x.dtype(), "dropout", [&]<class T>() {
    const T* in = x.data<T>();
    T* out = y.mutate<T>();
    const int64_t n = x.numel(), groups = (n + 7) / 8;
    if (constexpr int N = kPackOf<T>; takes_packs<N>(in) && takes_packs<N>(out))
      launch_each("dropout", groups, Group<T, N>{in, mask, n, out});
    else
      launch_each("dropout", groups, Group<T, 1>{in, mask, n, out});
  });
}

[[maybe_unused]] const bool registered = dropout_kernel.implement(Device::cuda, apply);

}  // namespace
}  // namespace fade
