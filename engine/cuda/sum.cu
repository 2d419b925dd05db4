#include "engine/cuda/sum.h"

#include <numeric>

#include "engine/cuda/rows.h"

namespace fade {
namespace {

/// How a dimension of n is cut: `count` partial sums of `length` elements, the last one shorter.
struct Chunks {
  int64_t length, count;
};

// Enough of them to fill a device, unless they would get shorter than `shortest`.
Chunks chunks_of(int64_t n, int64_t sums, int64_t shortest) {
  constexpr int64_t kEnough = 1024;
  const int64_t wanted = std::max<int64_t>(1, kEnough / std::max<int64_t>(sums, 1));
  const int64_t length = std::max((n + wanted - 1) / wanted, int64_t{1});
  const int64_t whole = (length + shortest - 1) / shortest * shortest;
  return {whole, std::max<int64_t>(1, (n + whole - 1) / whole)};
}

template <class In, class Out>
struct SumRow {
  const In* x;
  Out* out;
  int64_t n;
  Chunks chunks;
  double factor;
  template <class Row>
  __device__ void operator()(const Row& row) const {
    const int64_t begin = row.index % chunks.count * chunks.length, left = n - begin;
    const Row part{row.index, left < chunks.length ? left : chunks.length, row.lane};
    const double total =
        part.sum([](In v) { return static_cast<double>(v); }, x + row.index / chunks.count * n + begin);
    if (row.lane == 0) out[row.index] = static_cast<Out>(factor * total);
  }
};

constexpr int kColumns = 32, kLanes = 8;  // of a block: lanes share a column's elements

// One block a chunk and tile of columns.
template <class In, class Out>
__global__ void sum_columns(const In* x, Out* out, SumSizes s, Chunks chunks, double factor) {
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
  out[sum * s.inner + column] = static_cast<Out>(factor * total);
}

// One partial sum for each chunk: out [outer, chunks, inner].
void sum_chunks(const char* name, const Tensor& x, SumSizes s, Chunks chunks, double factor,
                const Tensor& out) {
  dispatch_float(x.dtype(), name, [&]<class In>() {
    dispatch_float(out.dtype(), name, [&]<class Out>() {
      const In* from = x.data<In>();
      Out* to = out.mutate<Out>();
      const int64_t sums = s.outer * chunks.count;
      if (s.inner == 1)
        launch_rows(name,
                    {.rows = sums,
                     .size = std::min(s.n, chunks.length),
                     .pitch = chunks.count == 1 ? s.n
                              : s.outer == 1    ? chunks.length
                                                : std::gcd(s.n, chunks.length)},
                    SumRow<In, Out>{from, to, s.n, chunks, factor}, from);
      else
        launch(name, sum_columns<In, Out>, sums * ((s.inner + kColumns - 1) / kColumns),
               dim3(kColumns, kLanes), 0, from, to, s, chunks, factor);
    });
  });
}

}  // namespace

void sum_middle(const char* name, const Tensor& x, SumSizes s, double factor, const Tensor& out) {
  const Chunks chunks = s.inner == 1 ? chunks_of(s.n, s.outer, 4096)
                                     : chunks_of(s.n, s.outer * ((s.inner + kColumns - 1) / kColumns), 256);
  if (chunks.count == 1) return sum_chunks(name, x, s, chunks, factor, out);
  const Tensor partial = Tensor::empty({s.outer, chunks.count, s.inner}, DType::f64, Device::cuda);
  sum_chunks(name, x, s, chunks, 1, partial);
  sum_middle(name, partial, {s.outer, chunks.count, s.inner}, factor, out);
}

}  // namespace fade
