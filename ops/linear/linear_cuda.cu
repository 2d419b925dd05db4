#include "engine/cuda/map.h"
#include "engine/cuda/sum.h"
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

constexpr int kTile = 32, kLanes = 8;  // threads: packs of columns, and rows that are summed side by side
constexpr int64_t kPartRows = 128;     // rows of a thread block

// `count` of N numbers: all of them, aligned, where rows consist of packs.
template <bool packs, int N, class T>
__device__ Pack<T, N> load_columns(const T* from, [[maybe_unused]] int count) {
  if constexpr (packs) {
    return load_pack<N>(from);
  } else {
    Pack<T, N> some;
    for (int k = 0; k < N; ++k) some.v[k] = k < count ? from[k] : T(0);
    return some;
  }
}
template <bool packs, int N, class T>
__device__ void store_columns(T* to, const Pack<T, N>& pack, [[maybe_unused]] int count) {
  if constexpr (packs) {
    store_pack(to, pack);
  } else {
    for (int k = 0; k < count; ++k) to[k] = pack.v[k];
  }
}

template <class G, class T>
struct GradientArrays {
  const G *g, *y;  // y: or null
  compute_t<G> factor;
  int64_t rows, columns;
  T* dz;               // or null
  compute_t<G>* sums;  // [parts, columns], or null
};

// One thread block per kPartRows rows and tile of columns: dz, and the sums of these rows.
template <bool packs, class G, class T>
__global__ void gradient(GradientArrays<G, T> x) {
  using C = compute_t<G>;
  constexpr int N = kPackOf<G>;
  const int64_t tiles = (x.columns + kTile * N - 1) / (kTile * N), part = blockIdx.x / tiles;
  const int64_t pack = blockIdx.x % tiles * kTile + threadIdx.x, column = pack * N, left = x.columns - column;
  const int count = static_cast<int>(left < 0 ? 0 : left < N ? left : N);
  const int64_t end = (part + 1) * kPartRows < x.rows ? (part + 1) * kPartRows : x.rows;
  C sums[N] = {};
  for (int64_t row = part * kPartRows + threadIdx.y; count > 0 && row < end; row += kLanes) {
    // Packs: as a multiple of N, without which nvcc 13.0 does not store 16 bytes at once.
    const int64_t at = packs ? (row * (x.columns / N) + pack) * N : row * x.columns + column;
    const Pack<G, N> g = load_columns<packs, N>(x.g + at, count);
    Pack<G, N> y;
    if (x.y) y = load_columns<packs, N>(x.y + at, count);
    Pack<T, N> dz;
    for (int k = 0; k < N; ++k) {
      const C value = !x.y ? C(g.v[k]) : C(y.v[k]) > 0 ? x.factor * C(g.v[k]) : C(0);
      sums[k] += value;
      dz.v[k] = static_cast<T>(value);
    }
    if (x.dz) store_columns<packs, N>(x.dz + at, dz, count);
  }
  if (!x.sums) return;
  __shared__ C lanes[kLanes][kTile * N];
  for (int k = 0; k < N; ++k) lanes[threadIdx.y][threadIdx.x * N + k] = sums[k];
  __syncthreads();
  if (threadIdx.y != 0) return;
  for (int k = 0; k < count; ++k) {
    C total = 0;
    for (int lane = 0; lane < kLanes; ++lane) total += lanes[lane][threadIdx.x * N + k];
    x.sums[part * x.columns + column + k] = total;
  }
}

template <class G, class T>
void launch_gradient(const Tensor& g, const Tensor& y, double factor, Out dz, const Tensor& sums) {
  constexpr int N = kPackOf<G>;
  const int64_t rows = g.size(0), columns = g.size(1);
  const GradientArrays<G, T> x{.g = g.data<G>(),
                               .y = y ? y.data<G>() : nullptr,
                               .factor = static_cast<compute_t<G>>(factor),
                               .rows = rows,
                               .columns = columns,
                               .dz = dz ? dz.mutate<T>() : nullptr,
                               .sums = sums ? sums.mutate<compute_t<G>>() : nullptr};
  const bool packs = columns % N == 0 && takes_packs<N>(x.g) && takes_packs<N>(x.y) && takes_packs<N>(x.dz);
  const int64_t parts = (rows + kPartRows - 1) / kPartRows, tiles = (columns + kTile * N - 1) / (kTile * N);
  const auto grid = static_cast<unsigned>(parts * tiles);
  if constexpr (!std::is_same_v<G, double>)
    if (packs) return launch("linear_backward", gradient<true, G, T>, grid, dim3(kTile, kLanes), 0, x);
  launch("linear_backward", gradient<false, G, T>, grid, dim3(kTile, kLanes), 0, x);
}

void backward(const Tensor& g, const Tensor& y, double factor, Out dz, Out db) {
  const int64_t rows = g.size(0), columns = g.size(1), parts = (rows + kPartRows - 1) / kPartRows;
  const Tensor sums = db ? Tensor::empty({parts, columns}, db.dtype(), Device::cuda) : Tensor();
  dispatch_stored_float(g.dtype(), "linear_backward", [&]<class G>() {
    if (std::is_same_v<G, float> && dz && dz.dtype() == DType::bf16)
      launch_gradient<float, bf16>(g, y, factor, dz, sums);
    else
      launch_gradient<G, G>(g, y, factor, dz, sums);
  });
  if (db) sum_middle("linear_backward", sums, {1, parts, columns}, 1, db);
}

[[maybe_unused]] const bool registered =
    linear_forward.implement(Device::cuda, forward) && linear_backward.implement(Device::cuda, backward);

}  // namespace
}  // namespace fade
