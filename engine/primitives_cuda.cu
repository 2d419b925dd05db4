#include "engine/cuda.h"
#include "engine/primitives.h"

namespace fade {
namespace {

template <class T>
struct Fill {
  T* out;
  T value;
  __device__ void operator()(int64_t i) const { out[i] = value; }
};

template <class S, class T>
struct Convert {
  const S* src;
  T* out;
  __device__ void operator()(int64_t i) const { out[i] = static_cast<T>(src[i]); }
};

template <class T>
struct AddInto {
  T* out;
  const T* x;
  __device__ void operator()(int64_t i) const { out[i] += x[i]; }
};

void fill_cuda(const Tensor& out, double value) {
  dispatch_any(out.dtype(), [&]<class T>() {
    launch_each("fill", out.numel(), Fill<T>{out.mutate<T>(), static_cast<T>(value)});
  });
}

void convert_cuda(const Tensor& src, const Tensor& out) {
  dispatch_any(src.dtype(), [&]<class S>() {
    dispatch_any(out.dtype(), [&]<class T>() {
      launch_each("convert", out.numel(), Convert<S, T>{src.data<S>(), out.mutate<T>()});
    });
  });
}

void add_into_cuda(const Tensor& out, const Tensor& x) {
  dispatch_float(out.dtype(), "add_into", [&]<class T>() {
    launch_each("add_into", out.numel(), AddInto<T>{out.mutate<T>(), x.data<T>()});
  });
}

// Sums of columns: src [rows, columns] -> out [slices, columns], each slice of the rows by itself. A block is
// 256 threads, of which `wide` lie along the columns (so that they read neighbouring numbers) and the others
// share the slice's rows.
template <class T>
__global__ void sum_rows(const T* src, T* out, int64_t rows, int64_t columns, int64_t slice) {
  T* const part = dynamic_shared<T>();  // [threads along rows, threads along columns]
  const int64_t column = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  const int64_t begin = blockIdx.y * slice, end = begin + slice < rows ? begin + slice : rows;
  T sum = 0;
  if (column < columns)
    for (int64_t r = begin + threadIdx.y; r < end; r += blockDim.y) sum += src[r * columns + column];
  part[threadIdx.y * blockDim.x + threadIdx.x] = sum;
  for (unsigned half = blockDim.y / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.y < half)
      part[threadIdx.y * blockDim.x + threadIdx.x] += part[(threadIdx.y + half) * blockDim.x + threadIdx.x];
  }
  if (threadIdx.y == 0 && column < columns) out[blockIdx.y * columns + column] = part[threadIdx.x];
}

template <class T>
void launch_sum_rows(const T* src, T* out, int64_t rows, int64_t columns, int64_t slices) {
  constexpr int kThreads = 256;
  int wide = 1;
  while (wide < kWarp && wide < columns) wide *= 2;
  int high = 1;
  const int64_t slice = (rows + slices - 1) / slices;
  while (high < kThreads / wide && high < slice) high *= 2;
  launch("sum_to", sum_rows<T>,
         dim3(static_cast<unsigned>((columns + wide - 1) / wide), static_cast<unsigned>(slices)),
         dim3(static_cast<unsigned>(wide), static_cast<unsigned>(high)),
         sizeof(T) * static_cast<size_t>(wide * high), src, out, rows, columns, slice);
}

// Many rows are cut into slices, and the slices' sums summed, to occupy the whole device.
template <class T>
void sum_leading(const Tensor& src, const Tensor& out, int64_t rows) {
  constexpr int64_t kRows = 512, kMaxSlices = 256;
  const int64_t columns = out.numel(), slices = std::min((rows + kRows - 1) / kRows, kMaxSlices);
  if (slices == 1) return launch_sum_rows(src.data<T>(), out.mutate<T>(), rows, columns, 1);
  const Tensor parts = Tensor::empty({slices, columns}, out.dtype(), Device::cuda);
  launch_sum_rows(src.data<T>(), parts.mutate<T>(), rows, columns, slices);
  launch_sum_rows(parts.data<T>(), out.mutate<T>(), slices, columns, 1);
}

/// Sizes and strides in the source, of the dimensions that stay and of those that are summed; the last is the
/// fastest.
struct Strided {
  int kept = 0, summed = 0;
  int64_t kept_size[kMaxDims], kept_stride[kMaxDims];
  int64_t summed_size[kMaxDims], summed_stride[kMaxDims];
  int64_t outputs = 1, terms = 1;
};

__device__ int64_t offset_of(int64_t i, int dims, const int64_t* size, const int64_t* stride) {
  int64_t offset = 0;
  for (int d = dims - 1; d >= 0; --d) {
    offset += i % size[d] * stride[d];
    i /= size[d];
  }
  return offset;
}

// A warp an output.
template <class T>
__global__ void sum_strided(const T* src, T* out, Strided s) {
  const int64_t warps = grid_threads() / kWarp;
  for (int64_t o = grid_thread() / kWarp; o < s.outputs; o += warps) {
    const T* from = src + offset_of(o, s.kept, s.kept_size, s.kept_stride);
    T sum = 0;
    for (int64_t i = threadIdx.x % kWarp; i < s.terms; i += kWarp)
      sum += from[offset_of(i, s.summed, s.summed_size, s.summed_stride)];
    sum = warp_sum(sum);
    if (threadIdx.x % kWarp == 0) out[o] = sum;
  }
}

Strided strided(const Shape& from, const Shape& to) {
  const auto to_stride = broadcast_strides(to, from);
  Strided s;
  int64_t stride[kMaxDims], step = 1;
  for (int d = from.dims() - 1; d >= 0; --d) {
    stride[d] = step;
    step *= from[d];
  }
  for (int d = 0; d < from.dims(); ++d) {
    if (from[d] == 1) continue;
    const bool keep = to_stride[d] != 0;
    int& n = keep ? s.kept : s.summed;
    (keep ? s.kept_size : s.summed_size)[n] = from[d];
    (keep ? s.kept_stride : s.summed_stride)[n++] = stride[d];
    (keep ? s.outputs : s.terms) *= from[d];
  }
  return s;
}

void sum_to_cuda(const Tensor& src, const Tensor& out) {
  dispatch_float(src.dtype(), "sum_to", [&]<class T>() {
    const Shape &from = src.shape(), &to = out.shape();
    const int lead = from.dims() - to.dims();
    if (from.numel() == 0) return backend(Device::cuda).zero(out.mutate_bytes(), out.size_bytes());
    if (from.numel(lead, from.dims()) == to.numel()) return sum_leading<T>(src, out, from.numel(0, lead));
    constexpr int kBlock = 128;
    const Strided s = strided(from, to);
    launch("sum_to", sum_strided<T>, grid_for(s.outputs * kWarp, kBlock), kBlock, 0, src.data<T>(),
           out.mutate<T>(), s);
  });
}

[[maybe_unused]] const bool registered = fill_kernel.implement(Device::cuda, fill_cuda) &&
                                         convert_kernel.implement(Device::cuda, convert_cuda) &&
                                         add_into_kernel.implement(Device::cuda, add_into_cuda) &&
                                         sum_to_kernel.implement(Device::cuda, sum_to_cuda);

}  // namespace
}  // namespace fade
