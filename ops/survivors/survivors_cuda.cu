// Survivors on CUDA, in two kernels of one thread block per stream: count the survivors of each stream, then
// write them in order.
#include "engine/cuda/cuda.h"
#include "ops/survivors/survivors_kernels.h"

namespace fade {
namespace {

constexpr int kBlock = 256;

/// A context as kernels see it. T: type of the spans.
template <class T>
struct ContextView {
  const int32_t *start, *age;
  int64_t block, memory_rows;
  RowSpans<T> span;
  double reach;

  /// Rows of stream b: its memory, then its block.
  __device__ int64_t count(int64_t b) const { return start[b + 1] - start[b] + block; }
  __device__ int64_t row(int64_t b, int64_t k) const {
    const int64_t own_memory = start[b + 1] - start[b];
    return k < own_memory ? start[b] + k : memory_rows + b * block + k - own_memory;
  }
  __device__ bool survives(int64_t row) const { return fade::survives(span(row), reach, age[row] + block); }
};

/// The sum of `value` over the threads before this one, and in `total` that over all threads. All threads of
/// the thread block call it.
__device__ int block_scan(int value, int& total) {
  __shared__ int of_warp[kWarp];
  const int lane = thread_rank() % kWarp, warp = thread_rank() / kWarp;
  int sum = value;
  for (int distance = 1; distance < kWarp; distance *= 2) {
    const int before = __shfl_up_sync(~0u, sum, distance);
    if (lane >= distance) sum += before;
  }
  __syncthreads();  // the previous call's readers are done
  if (lane == kWarp - 1) of_warp[warp] = sum;
  __syncthreads();
  total = 0;
  int earlier = 0;
  for (int w = 0; w < kBlock / kWarp; ++w) {
    if (w < warp) earlier += of_warp[w];
    total += of_warp[w];
  }
  return earlier + sum - value;
}

template <class T>
__global__ void count_survivors(ContextView<T> context, int32_t* count) {
  const int64_t b = blockIdx.x, rows = context.count(b);
  int alive = 0;
  for (int64_t k = threadIdx.x; k < rows; k += kBlock) alive += context.survives(context.row(b, k));
  alive = block_sum(alive);
  if (threadIdx.x == 0) count[b] = alive;
}

// Writes the survivors of stream b after those of the streams before it, and where they end.
template <class T>
__global__ void write_survivors(ContextView<T> context, const int32_t* count, int32_t* start, int32_t* index,
                                int32_t* age) {
  const int64_t b = blockIdx.x, rows = context.count(b);
  int at = 0;
  for (int64_t stream = threadIdx.x; stream < b; stream += kBlock) at += count[stream];
  at = block_sum(at);
  if (threadIdx.x == 0 && b == 0) start[0] = 0;
  for (int64_t first = 0; first < rows; first += kBlock) {
    const int64_t k = first + threadIdx.x, row = k < rows ? context.row(b, k) : 0;
    const bool alive = k < rows && context.survives(row);
    int total;
    const int place = at + block_scan(alive, total);
    if (alive) {
      index[place] = static_cast<int32_t>(row);
      age[place] = static_cast<int32_t>(context.age[row] + context.block);
    }
    at += total;
  }
  if (threadIdx.x == 0) start[b + 1] = at;
}

void survivors_cuda(const PackedRows& rows, const Lifetime& lifetime, const Survivors& out) {
  const Tensor count = Tensor::empty({rows.streams}, DType::i32, Device::cuda);
  const auto streams = static_cast<unsigned>(rows.streams);
  dispatch_spans(lifetime, [&]<class T>() {
    const ContextView<T> context{.start = rows.start.data<int32_t>(),
                                 .age = rows.age.data<int32_t>(),
                                 .block = rows.block,
                                 .memory_rows = rows.memory_rows,
                                 .span = RowSpans<T>(lifetime.span),
                                 .reach = lifetime.reach};
    launch("count_survivors", count_survivors<T>, streams, kBlock, 0, context, count.mutate<int32_t>());
    launch("write_survivors", write_survivors<T>, streams, kBlock, 0, context, count.data<int32_t>(),
           out.start.mutate<int32_t>(), out.index.mutate<int32_t>(), out.age.mutate<int32_t>());
  });
}

[[maybe_unused]] const bool registered = survivors_kernel.implement(Device::cuda, survivors_cuda);

}  // namespace
}  // namespace fade
