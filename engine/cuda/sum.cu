#include "engine/cuda/sum.h"

#include <numeric>

#include "engine/cuda/rows.h"

namespace fade {
namespace {

/// How a dimension of n is cut: into `count` partial sums of `length` elements, the last one shorter.
struct Chunks {
  int64_t length, count;
};

// Enough chunks to fill a device, unless they would be shorter than `shortest`.
Chunks chunks_of(int64_t n, int64_t sums, int64_t shortest) {
  constexpr int64_t kEnough = 1024;
  const int64_t wanted = std::max<int64_t>(1, kEnough / std::max<int64_t>(sums, 1));
  const int64_t length = std::max((n + wanted - 1) / wanted, int64_t{1});
  const int64_t whole = (length + shortest - 1) / shortest * shortest;
  return {whole, std::max<int64_t>(1, (n + whole - 1) / whole)};
}

template <class In, class To>
struct SumRow {
  const In* x;
  To* out;
  int64_t n;
  Chunks chunks;
  double factor;
  template <class Row>
  __device__ void operator()(const Row& row) const {
    const int64_t begin = row.index % chunks.count * chunks.length, left = n - begin;
    const Row part{row.index, left < chunks.length ? left : chunks.length, row.lane};
    const double total =
        part.sum([](In v) { return static_cast<double>(v); }, x + row.index / chunks.count * n + begin);
    if (row.lane == 0) out[row.index] = static_cast<To>(factor * total);
  }
};

constexpr int kColumns = 32, kLanes = 8;  // of a thread block: the lanes share the elements of a column

// One thread block per chunk and tile of columns.
template <class In, class To>
__global__ void sum_columns(const In* x, To* out, SumSizes s, Chunks chunks, double factor) {
  const int64_t tiles = (s.inner + kColumns - 1) / kColumns, sum = blockIdx.x / tiles;
  const int64_t column = blockIdx.x % tiles * kColumns + threadIdx.x;
  const int64_t begin = sum % chunks.count * chunks.length;
  const int64_t end = begin + chunks.length < s.n ? begin + chunks.length : s.n;
  const In* from = x + sum / chunks.count * s.n * s.inner + column;
  double total = 0;
  if (column < s.inner)
    for (int64_t k = begin + threadIdx.y; k < end; k += kLanes)
      total += static_cast<double>(from[k * s.inner]);
  __shared__ double lanes[kLanes][kColumns];
  lanes[threadIdx.y][threadIdx.x] = total;
  __syncthreads();
  if (threadIdx.y != 0 || column >= s.inner) return;
  for (int lane = 1; lane < kLanes; ++lane) total += lanes[lane][threadIdx.x];
  out[sum * s.inner + column] = static_cast<To>(factor * total);
}

// One partial sum per chunk: out [outer, chunks, inner].
void sum_chunks(const char* name, const Tensor& x, SumSizes s, Chunks chunks, double factor, Out out) {
  dispatch_float(x.dtype(), name, [&]<class In>() {
    dispatch_float(out.dtype(), name, [&]<class To>() {
      const In* from = x.data<In>();
      To* to = out.mutate<To>();
      const int64_t sums = s.outer * chunks.count;
      if (s.inner == 1)
        launch_rows(name,
                    {.rows = sums,
                     .size = std::min(s.n, chunks.length),
                     .pitch = chunks.count == 1 ? s.n
                              : s.outer == 1    ? chunks.length
                                                : std::gcd(s.n, chunks.length)},
                    SumRow<In, To>{from, to, s.n, chunks, factor}, from);
      else
        launch(name, sum_columns<In, To>, sums * ((s.inner + kColumns - 1) / kColumns),
               dim3(kColumns, kLanes), 0, from, to, s, chunks, factor);
    });
  });
}

}  // namespace

void sum_middle(const char* name, const Tensor& x, SumSizes s, double factor, Out out) {
  const Chunks chunks = s.inner == 1 ? chunks_of(s.n, s.outer, 4096)
                                     : chunks_of(s.n, s.outer * ((s.inner + kColumns - 1) / kColumns), 256);
  if (chunks.count == 1) return sum_chunks(name, x, s, chunks, factor, out);
  const Tensor partial = Tensor::empty({s.outer, chunks.count, s.inner}, DType::f64, Device::cuda);
  sum_chunks(name, x, s, chunks, 1, partial);
  sum_middle(name, partial, {s.outer, chunks.count, s.inner}, factor, out);
}

}  // namespace fade
