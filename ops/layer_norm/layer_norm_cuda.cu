#include "engine/cuda/rows.h"
#include "engine/cuda/sum.h"
#include "ops/layer_norm/layer_norm_kernels.h"

namespace fade {
namespace {

template <class T>
struct Forward {
  const T *x, *weight, *bias;
  T eps;
  T *y, *mean, *rstd;
  __device__ void operator()(const auto& row) const {
    const T* xr = x + row.start();
    const T count = static_cast<T>(row.size);
    const T m = row.sum([](T v) { return v; }, xr) / count;
    const T variance = row.sum([=](T v) { return (v - m) * (v - m); }, xr) / count;
    const T r = 1 / std::sqrt(variance + eps);
    row.map([=](T v, T w, T b) { return (v - m) * r * w + b; }, y + row.start(), xr, weight, bias);
    if (row.lane != 0) return;
    mean[row.index] = m;
    rstd[row.index] = r;
  }
};

// dx = rstd·(d − mean(d) − n·mean(d·n)), with n the normalised values of the row and d = g·weight.
template <class T>
struct InputGradient {
  const T *g, *x, *weight, *mean, *rstd;
  T* dx;
  __device__ void operator()(const auto& row) const {
    const T *gr = g + row.start(), *xr = x + row.start();
    const T m = mean[row.index], r = rstd[row.index], count = static_cast<T>(row.size);
    const T mean_d = row.sum([](T gi, T w) { return gi * w; }, gr, weight) / count;
    const T mean_dn = row.sum([=](T gi, T w, T v) { return gi * w * (v - m) * r; }, gr, weight, xr) / count;
    row.map([=](T gi, T w, T v) { return r * (gi * w - mean_d - (v - m) * r * mean_dn); }, dx + row.start(),
            gr, weight, xr);
  }
};

constexpr int kColumns = 32, kLanes = 8;  // of a thread block: the lanes of a column share its rows

// Σ g·n and Σ g over each chunk of rows: dweight, dbias [chunks, n]. One thread block per chunk (y) and tile
// of columns (x).
template <class T>
__global__ void parameter_gradients(const T* g, const T* x, const T* mean, const T* rstd, int64_t rows,
                                    int64_t n, T* dweight, T* dbias) {
  const int64_t column = int64_t{blockIdx.x} * kColumns + threadIdx.x;
  const int64_t begin = rows * blockIdx.y / gridDim.y, end = rows * (blockIdx.y + 1) / gridDim.y;
  T of_weight = 0, of_bias = 0;
  if (column < n) {
    for (int64_t row = begin + threadIdx.y; row < end; row += kLanes) {
      const T gi = g[row * n + column];
      of_weight += gi * (x[row * n + column] - mean[row]) * rstd[row];
      of_bias += gi;
    }
  }
  __shared__ T lanes[2][kLanes][kColumns];
  lanes[0][threadIdx.y][threadIdx.x] = of_weight;
  lanes[1][threadIdx.y][threadIdx.x] = of_bias;
  __syncthreads();
  if (threadIdx.y != 0 || column >= n) return;
  for (int lane = 1; lane < kLanes; ++lane) {
    of_weight += lanes[0][lane][threadIdx.x];
    of_bias += lanes[1][lane][threadIdx.x];
  }
  dweight[blockIdx.y * n + column] = of_weight;
  dbias[blockIdx.y * n + column] = of_bias;
}

void forward_cuda(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps, Out y, Out mean,
                  Out rstd) {
  dispatch_float(x.dtype(), "layer_norm", [&]<class T>() {
    const T *px = x.data<T>(), *w = weight.data<T>(), *b = bias.data<T>();
    T* out = y.mutate<T>();
    launch_rows("layer_norm", {mean.numel(), x.size(-1)},
                Forward<T>{px, w, b, static_cast<T>(eps), out, mean.mutate<T>(), rstd.mutate<T>()}, px, w, b,
                out);
  });
}

void backward_cuda(const Tensor& g, const Tensor& x, const Tensor& weight, const Tensor& mean,
                   const Tensor& rstd, Out dx, Out dweight, Out dbias) {
  const int64_t rows = mean.numel(), n = x.size(-1);
  dispatch_float(x.dtype(), "layer_norm", [&]<class T>() {
    const T *pg = g.data<T>(), *px = x.data<T>(), *w = weight.data<T>();
    const T *means = mean.data<T>(), *rstds = rstd.data<T>();
    if (dx) {
      T* out = dx.mutate<T>();
      launch_rows("layer_norm_backward", {rows, n}, InputGradient<T>{pg, px, w, means, rstds, out}, pg, px, w,
                  out);
    }
    if (!dweight && !dbias) return;
    const int64_t chunks = std::clamp<int64_t>(rows / 64, 1, 128);
    const Tensor partial[] = {Tensor::empty({chunks, n}, x.dtype(), Device::cuda),
                              Tensor::empty({chunks, n}, x.dtype(), Device::cuda)};
    launch("layer_norm_parameters", parameter_gradients<T>,
           dim3(static_cast<unsigned>((n + kColumns - 1) / kColumns), static_cast<unsigned>(chunks)),
           dim3(kColumns, kLanes), 0, pg, px, means, rstds, rows, n, partial[0].mutate<T>(),
           partial[1].mutate<T>());
    if (dweight) sum_middle("layer_norm", partial[0], {1, chunks, n}, 1, dweight);
    if (dbias) sum_middle("layer_norm", partial[1], {1, chunks, n}, 1, dbias);
  });
}

[[maybe_unused]] const bool registered = layer_norm_forward.implement(Device::cuda, forward_cuda) &&
                                         layer_norm_backward.implement(Device::cuda, backward_cuda);

}  // namespace
}  // namespace fade
