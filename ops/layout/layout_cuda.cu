#include "engine/cuda/map.h"
#include "engine/cuda/moved.h"
#include "ops/layout/layout_kernels.h"

namespace fade {
namespace {

struct Copy {
  __device__ auto operator()(auto v) const { return v; }
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

void copy_cuda(const Tensor& src, const StridedCopy& c, Out dst) {
  if (c.shape.numel() == 0) return;
  Strides strides[] = {c.dst, c.src};
  const Shape s = merge_dims(c.shape, strides);
  int r = s.dims() - 1;  // the dimension along which src is contiguous
  while (r > 0 && strides[1][r] != 1) --r;
  dispatch_size(src.dtype(), [&]<class T>() {
    const T* from = read_as<T>(src) + c.src_at;
    T* to = write_as<T>(dst) + c.dst_at;
    if (r < s.dims() - 1 && std::min(s[r], s[-1]) >= kWorthATile) {
      const int64_t tile = (s[r] + kTile - 1) / kTile * ((s[-1] + kTile - 1) / kTile);
      launch("transpose", transpose_tiles<T>, static_cast<unsigned>(s.numel() / (s[r] * s[-1]) * tile),
             dim3(kTile, kTileRows), 0, from, to, transpose_of(s, strides, r));
    } else {
      map_strided("copy", Copy{}, s, StridedView{to, strides[0]}, StridedView{from, strides[1]});
    }
  });
}

void add_cuda(const Tensor& src, const StridedCopy& c, Out dst) {
  dispatch_float(src.dtype(), "slice", [&]<class T>() {
    T* to = dst.mutate<T>() + c.dst_at;
    map_strided("add_slice", Sum{}, c.shape, StridedView{to, c.dst},
                StridedView{static_cast<const T*>(to), c.dst}, StridedView{src.data<T>() + c.src_at, c.src});
  });
}

[[maybe_unused]] const bool registered =
    strided_copy.implement(Device::cuda, copy_cuda) && strided_add.implement(Device::cuda, add_cuda);

}  // namespace
}  // namespace fade
