#include "engine/cuda/map.h"
#include "ops/layout/layout_kernels.h"

namespace fade {
namespace {

struct Copy {
  template <class T>
  __device__ T operator()(T v) const {
    return v;
  }
};
struct Plus {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};

constexpr int kTile = 32, kTileRows = 8;
constexpr int64_t kWorthATile = 8;  // fewest rows and columns: smaller ones would leave a tile mostly empty

/// A batch of matrices to be transposed: y[.., r, c] = x[.., c, r]. Strides of r in x and of c in y are 1.
struct TransposeBatch {
  int64_t rows, columns, x_pitch, y_pitch;  ///< pitches: x's stride along c, y's along r
  int dims;                                 ///< of the batch
  int64_t size[kMaxDims], x_stride[kMaxDims], y_stride[kMaxDims];  ///< of each dimension of the batch
};

// One thread block per tile, through shared memory: reads run along x's last dimension, writes along y's.
template <class T>
__global__ void transpose_tiles(const T* x, T* y, TransposeBatch t) {
  __shared__ T tile[kTile][kTile + 1];  // one column wider: the elements of a column are in different banks
  const int64_t across = (t.columns + kTile - 1) / kTile, down = (t.rows + kTile - 1) / kTile;
  const int64_t column = blockIdx.x % across * kTile, row = blockIdx.x / across % down * kTile;
  int64_t batch = blockIdx.x / across / down;
  for (int d = t.dims - 1; d >= 0; --d) {
    x += batch % t.size[d] * t.x_stride[d];
    y += batch % t.size[d] * t.y_stride[d];
    batch /= t.size[d];
  }
  const int lane = static_cast<int>(threadIdx.x), first = static_cast<int>(threadIdx.y);
  for (int k = first; k < kTile; k += kTileRows) {
    if (column + k < t.columns && row + lane < t.rows)
      tile[k][lane] = x[(column + k) * t.x_pitch + row + lane];
  }
  __syncthreads();
  for (int k = first; k < kTile; k += kTileRows) {
    if (row + k < t.rows && column + lane < t.columns)
      y[(row + k) * t.y_pitch + column + lane] = tile[lane][k];
  }
}

// strides: those of y and of x along the dimensions of y; dimension r is x's last.
TransposeBatch transpose_of(const Shape& shape, const Strides (&strides)[2], int r) {
  const int c = shape.dims() - 1;
  TransposeBatch t{};
  t.rows = shape[r];
  t.columns = shape[c];
  t.x_pitch = strides[1][c];
  t.y_pitch = strides[0][r];
  for (int d = 0; d < c; ++d) {
    if (d == r) continue;
    t.size[t.dims] = shape[d];
    t.y_stride[t.dims] = strides[0][d];
    t.x_stride[t.dims] = strides[1][d];
    ++t.dims;
  }
  return t;
}

void permute_cuda(const Tensor& x, DimOrder order, Out y) {
  if (y.numel() == 0) return;
  const Strides of_x = broadcast_strides(x.shape(), x.shape());
  Strides strides[] = {broadcast_strides(y.shape(), y.shape()), {}};
  for (int d = 0; d < y.shape().dims(); ++d) strides[1][d] = of_x[order.source[d]];
  const Shape s = merge_dims(y.shape(), strides);
  int r = s.dims() - 1;
  while (r > 0 && strides[1][r] != 1) --r;
  dispatch_any(x.dtype(), [&]<class T>() {
    if (r < s.dims() - 1 && std::min(s[r], s[-1]) >= kWorthATile) {
      const int64_t tile = (s[r] + kTile - 1) / kTile * ((s[-1] + kTile - 1) / kTile);
      launch("permute", transpose_tiles<T>, static_cast<unsigned>(s.numel() / (s[r] * s[-1]) * tile),
             dim3(kTile, kTileRows), 0, x.data<T>(), y.mutate<T>(), transpose_of(s, strides, r));
    } else {
      map_strided("permute", Copy{}, s, Strided{y.mutate<T>(), strides[0]}, Strided{x.data<T>(), strides[1]});
    }
  });
}

void copy_cuda(const Tensor& src, Slices s, Out dst) {
  dispatch_any(src.dtype(), [&]<class T>() {
    map_strided("copy_slices", Copy{}, {s.count, s.length},
                Strided{dst.mutate<T>() + s.dst_at, {s.dst_pitch, 1}},
                Strided{src.data<T>() + s.src_at, {s.src_pitch, 1}});
  });
}

void add_cuda(const Tensor& src, Slices s, Out dst) {
  dispatch_float(src.dtype(), "slice", [&]<class T>() {
    T* to = dst.mutate<T>() + s.dst_at;
    const Strides along{s.dst_pitch, 1};
    map_strided("add_slices", Plus{}, {s.count, s.length}, Strided{to, along},
                Strided{static_cast<const T*>(to), along},
                Strided{src.data<T>() + s.src_at, {s.src_pitch, 1}});
  });
}

[[maybe_unused]] const bool registered = permute_kernel.implement(Device::cuda, permute_cuda) &&
                                         copy_slices.implement(Device::cuda, copy_cuda) &&
                                         add_slices.implement(Device::cuda, add_cuda);

}  // namespace
}  // namespace fade
