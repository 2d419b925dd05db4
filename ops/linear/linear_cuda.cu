#include "engine/cuda/column_sums.h"
#include "ops/linear/linear_kernels.h"
#include "ops/matmul/matmul_cuda.h"

namespace fade {
namespace {

// What the product left to do, for the eight elements that share one draw of the generator.
template <class T>
struct Finish {
  T* y;
  const T* bias;  // or null
  bool relu, drop;
  DropoutMask mask;
  int64_t n, columns;

  __device__ void operator()(int64_t group) const {
    constexpr int N = kPackOf<T>;
    const uint32_t kept = drop ? mask.kept(static_cast<uint64_t>(group)) : ~0u;
    const compute_t<T> factor = drop ? static_cast<compute_t<T>>(mask.factor) : 1;
    const int64_t begin = 8 * group, end = begin + 8 < n ? begin + 8 : n;
    int64_t column = bias ? begin % columns : 0;
    const auto finished = [&](T before, int64_t j) {
      compute_t<T> v = before;
      if (bias) {
        v += static_cast<compute_t<T>>(bias[column]);
        if (++column == columns) column = 0;
      }
      if (relu && v < 0) v = 0;
      return kept >> j & 1 ? static_cast<T>(factor * v) : T(0);
    };
    int64_t i = begin;
    for (; i + N <= end; i += N) {
      Pack<T, N> pack = load_pack<N>(y + i);
      for (int k = 0; k < N; ++k) pack.v[k] = finished(pack.v[k], i - begin + k);
      store_pack(y + i, pack);
    }
    for (; i < end; ++i) y[i] = finished(y[i], i - begin);
  }
};

void forward(const Tensor& x, const Tensor& weight, const LinearFinish& finish, Out y) {
  if (y.numel() == 0) return;
  const int64_t columns = y.size(-1);
  const MatmulSizes s{
      .batch = 1, .m = y.numel() / columns, .n = columns, .k = x.size(-1), .transpose = {.b = true}};
  bool finished = false;
  if (s.k == 0) {  // an empty sum
    backend(Device::cuda).zero(y.mutate_bytes(), y.size_bytes());
  } else {
    BlasProduct product = row_major_product(x, weight, s, y);
    product.bias = finish.bias ? finish.bias.data_bytes() : nullptr;
    product.relu = finish.relu;
    finished = cuda_product(product);
  }
  if (finished && !finish.drop) return;
  dispatch_stored_float(y.dtype(), "linear", [&]<class T>() {
    launch_each("linear", (y.numel() + 7) / 8,
                Finish<T>{.y = y.mutate<T>(),
                          .bias = finish.bias && !finished ? finish.bias.data<T>() : nullptr,
                          .relu = finish.relu && !finished,
                          .drop = finish.drop,
                          .mask = finish.mask,
                          .n = y.numel(),
                          .columns = columns});
  });
}

// dz of a pack of columns, which is also added to their sums.
template <class G, class T>
struct Gradient {
  const G *g, *y;  // y: or null
  compute_t<G> factor;
  int64_t columns;
  T* dz;  // or null

  template <int N>
  __device__ void add(int64_t row, int64_t column, compute_t<G> (&sums)[1][N]) const {
    using C = compute_t<G>;
    // As a multiple of N, without which nvcc 13.0 does not store 16 bytes at once.
    const int64_t at = (row * (columns / N) + column / N) * N;
    const Pack<G, N> of_y = load_pack<N>(g + at);
    Pack<G, N> result;
    if (y) result = load_pack<N>(y + at);
    Pack<T, N> of_z;
    for (int k = 0; k < N; ++k) {
      const C value = !y ? C(of_y.v[k]) : C(result.v[k]) > 0 ? factor * C(of_y.v[k]) : C(0);
      sums[0][k] += value;
      of_z.v[k] = static_cast<T>(value);
    }
    if (dz) store_pack(dz + at, of_z);
  }
};

template <class G, class T>
void gradient(const Tensor& g, const Tensor& y, double factor, Out dz, Out db) {
  const Gradient<G, T> f{.g = g.data<G>(),
                         .y = y ? y.data<G>() : nullptr,
                         .factor = static_cast<compute_t<G>>(factor),
                         .columns = g.size(1),
                         .dz = dz ? dz.mutate<T>() : nullptr};
  sum_columns<compute_t<G>>("linear_backward", g.size(0), g.size(1), f, {db}, f.g, f.y, f.dz);
}

void backward(const Tensor& g, const Tensor& y, double factor, Out dz, Out db) {
  dispatch_stored_float(g.dtype(), "linear_backward", [&]<class G>() {
    if (std::is_same_v<G, float> && dz && dz.dtype() == DType::bf16)
      gradient<float, bf16>(g, y, factor, dz, db);
    else
      gradient<G, G>(g, y, factor, dz, db);
  });
}

[[maybe_unused]] const bool registered =
    linear_forward.implement(Device::cuda, forward) && linear_backward.implement(Device::cuda, backward);

}  // namespace
}  // namespace fade
