#include "tests/engine/cuda_kernels.h"

#include "engine/cuda/async_copy.h"
#include "engine/cuda/cuda.h"
#include "engine/cuda/mma.h"

namespace fade::test {
namespace {

Tensor ints(int64_t n) { return Tensor::zeros({n}, DType::i32, Device::cuda); }

__global__ void count_threads_kernel(int* out) {
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  out[block * blockDim.x * blockDim.y * blockDim.z + thread] += 1 + static_cast<int>(block);
}

__global__ void exchange_kernel(int* out, Exchange kind, int argument, int width) {
  const int lane = static_cast<int>(threadIdx.x), value = 100 + lane;
  const auto distance = static_cast<unsigned>(argument);
  out[lane] = kind == Exchange::from   ? __shfl_sync(~0u, value, argument, width)
              : kind == Exchange::up   ? __shfl_up_sync(~0u, value, distance, width)
              : kind == Exchange::down ? __shfl_down_sync(~0u, value, distance, width)
                                       : __shfl_xor_sync(~0u, value, argument, width);
}

__global__ void exchange_doubles_kernel(double* out) {
  out[threadIdx.x] = __shfl_up_sync(~0u, 100.5 + threadIdx.x, 1);
}

__global__ void votes_kernel(int* out, unsigned values) {
  const int mine = static_cast<int>(values >> threadIdx.x & 1u);
  const unsigned ballot = __ballot_sync(~0u, mine);
  const int any = __any_sync(~0u, mine), all = __all_sync(~0u, mine);
  if (threadIdx.x == 31) {
    out[0] = static_cast<int>(ballot);
    out[1] = any;
    out[2] = all;
  }
}

__global__ void votes_apart_kernel(int* out) {
  const int lane = static_cast<int>(threadIdx.x);
  const unsigned mask = lane % 2 ? 0xaaaaaaaau : 0x55555555u;
  int sum = 0;
  for (int round = 0; round < (lane % 2 ? 3 : 1); ++round) {
    int value = lane;
    for (int distance = 2; distance < 32; distance *= 2) value += __shfl_xor_sync(mask, value, distance);
    sum += value;
  }
  out[lane] = sum;
}

__global__ void warp_broadcast_kernel(int* out) {
  __shared__ int of_warp[32];
  const unsigned warp = threadIdx.x / 32;
  if (threadIdx.x % 32 == 0) of_warp[warp] = 7 + static_cast<int>(warp);
  __syncwarp();
  out[threadIdx.x] = of_warp[warp];
}

__global__ void reverse_thrice_kernel(int* out) {
  __shared__ int fixed[256];
  const unsigned me = threadIdx.x, other = blockDim.x - 1 - me;
  fixed[me] = static_cast<int>(me);
  __syncthreads();
  int value = fixed[other] + 1;
  int* const some = dynamic_shared<int>();
  some[me] = value;
  __syncthreads();
  value = some[other] + 1;
  __syncthreads();
  double* const again = dynamic_shared<double>();
  again[other] = value;
  __syncthreads();
  out[other] = static_cast<int>(again[me]) + 1;
}

__global__ void barrier_votes_kernel(int* out, int below) {
  const int mine = static_cast<int>(threadIdx.x) < below;
  const int count = __syncthreads_count(mine), any = __syncthreads_or(mine), all = __syncthreads_and(mine);
  if (threadIdx.x == 40) {
    out[0] = count;
    out[1] = any != 0;
    out[2] = all != 0;
  }
}

__global__ void atomics_kernel(int* out) {
  const int me = static_cast<int>(grid_thread());
  atomicAdd(&out[0], 2);
  atomicSub(&out[1], 1);
  atomicMax(&out[2], me);
  atomicMin(&out[3], -me);
  atomicOr(&out[4], 1 << (me % 20));
  atomicAnd(&out[5], ~(1 << (me % 20)));
  atomicExch(&out[6], me + 1);
  if (atomicCAS(&out[7], 0, me + 1) == 0) atomicAdd(&out[8], 1);
}

template <class V>
__global__ void copy_kernel(const V* x, V* y, int64_t n) {
  for (int64_t i = grid_thread(); i < n; i += grid_threads()) y[i] = x[i];
}

template <class V, class T>
Tensor copy_by(const Tensor& x) {
  Tensor y = Tensor::empty(x.shape(), x.dtype(), Device::cuda);
  const int64_t n = x.numel() / static_cast<int64_t>(sizeof(V) / sizeof(T));
  launch("copy_packs", copy_kernel<V>, grid_for(n, 64), 64, 0, reinterpret_cast<const V*>(x.data<T>()),
         reinterpret_cast<V*>(y.mutate<T>()), n);
  return y;
}

template <class T>
__global__ void reductions_kernel(const T* x, T* y, int64_t n) {
  const T* row = x + blockIdx.x * n;
  T sum = 0, highest = -INFINITY;
  for (int64_t i = threadIdx.x; i < n; i += blockDim.x) {
    sum += row[i];
    highest = Max{}(highest, row[i]);
  }
  sum = block_sum(sum);
  highest = block_reduce(highest, Max{}, static_cast<T>(-INFINITY));
  if (threadIdx.x == blockDim.x - 1) {  // every thread has the results
    y[2 * blockIdx.x] = sum;
    y[2 * blockIdx.x + 1] = highest;
  }
}

__global__ void group_sums_kernel(int* out) {
  out[threadIdx.x] = warp_reduce<8>(static_cast<int>(threadIdx.x), Sum{});
}

struct Square {
  int* out;
  __device__ void operator()(int64_t i) const { out[i] = static_cast<int>(i * i); }
};

struct CheckedGather {
  const float* table;
  const int* index;
  float* out;
  int64_t size;
  IndexCheck check;
  __device__ void operator()(int64_t i) const { out[i] = check(index[i], i, size) ? table[index[i]] : -1; }
};

__global__ void nothing() {}

struct FastExp2 {
  const float* x;
  float* y;
  __device__ void operator()(int64_t i) const { y[i] = fast_exp2(x[i]); }
};

// Written from the figures of the PTX ISA, "Matrix Fragments for mma.m16n8k8" (.tf32).
__global__ void tensor_core_kernel(const float* a, const float* b, float* c) {
  const int group = static_cast<int>(threadIdx.x) >> 2, thread = static_cast<int>(threadIdx.x) % 4;
  float x[4], y[2], z[4];
  for (int i = 0; i < 4; ++i) {
    const int row = i == 0 || i == 2 ? group : group + 8, column = i < 2 ? thread : thread + 4;
    x[i] = to_tf32(a[row * 8 + column]);
  }
  for (int i = 0; i < 2; ++i) y[i] = to_tf32(b[(i == 0 ? thread : thread + 4) * 8 + group]);
  const auto at = [&](int i) { return (i < 2 ? group : group + 8) * 8 + thread * 2 + (i & 1); };
  for (int i = 0; i < 4; ++i) z[i] = c[at(i)];
  mma_tf32(z, x, y);
  for (int i = 0; i < 4; ++i) c[at(i)] = z[i];
}

// The first 16 of 64 threads copy.
__global__ void reverse_tiles_kernel(const float* x, float* y, int tiles, int valid) {
  constexpr int kTile = 64;
  alignas(16) __shared__ float stages[2][kTile];
  const int me = static_cast<int>(threadIdx.x), first = 4 * me;
  const auto begin = [&](int tile) {
    const int at = tile * kTile + first;
    if (tile < tiles && first < kTile) copy_async(&stages[tile % 2][first], x + at, at < valid);
    close_copies();
  };
  begin(0);
  for (int tile = 0; tile < tiles; ++tile) {
    begin(tile + 1);
    wait_for_copies<1>();
    __syncthreads();
    y[tile * kTile + me] = stages[tile % 2][kTile - 1 - me];
    __syncthreads();
  }
  wait_for_copies<0>();
}

// Written from the figures of the PTX ISA, "Matrix Fragments for mma.m16n8k16" (.bf16).
__global__ void bf16_kernel(const bf16* a, const bf16* b, float* c) {
  const int group = static_cast<int>(threadIdx.x) >> 2, thread = static_cast<int>(threadIdx.x) % 4;
  uint32_t x[4] = {}, y[2] = {};
  float z[4];
  for (int i = 0; i < 8; ++i) {
    const int row = i < 2 || (i >= 4 && i < 6) ? group : group + 8,
              column = thread * 2 + (i & 1) + (i < 4 ? 0 : 8);
    x[i / 2] |= uint32_t{a[row * 16 + column].bits} << (i % 2 * 16);
  }
  for (int i = 0; i < 4; ++i) {
    const int row = thread * 2 + (i & 1) + (i < 2 ? 0 : 8);
    y[i / 2] |= uint32_t{b[row * 8 + group].bits} << (i % 2 * 16);
  }
  const auto at = [&](int i) { return (i < 2 ? group : group + 8) * 8 + thread * 2 + (i & 1); };
  for (int i = 0; i < 4; ++i) z[i] = c[at(i)];
  mma_bf16(z, x, y);
  for (int i = 0; i < 4; ++i) c[at(i)] = z[i];
}

// Written from the description of ldmatrix in the PTX ISA. b, stored by its rows, is loaded transposed; two of
// its four matrices are the other two once more.
__global__ void matrices_kernel(const bf16* a, const bf16* b, float* c) {
  auto* const rows = dynamic_shared<bf16>();
  const int lane = static_cast<int>(threadIdx.x);
  for (int i = lane; i < 256; i += kWarp) rows[i] = a[i];
  for (int i = lane; i < 128; i += kWarp) rows[256 + i] = b[i];
  __syncwarp();
  uint32_t x[4], y[4];
  load_matrices(x, rows + lane % 16 * 16 + lane / 16 * 8);
  load_matrices_transposed(y, rows + 256 + lane % 16 * 8);
  const auto at = [&](int i) { return (lane / 4 + (i < 2 ? 0 : 8)) * 8 + lane % 4 * 2 + i % 2; };
  float z[4];
  for (int i = 0; i < 4; ++i) z[i] = c[at(i)];
  mma_bf16(z, x, {y[0], y[1]});
  for (int i = 0; i < 4; ++i) c[at(i)] = z[i];
}

}  // namespace

Tensor reverse_tiles(const Tensor& x, int64_t last) {
  Tensor y = Tensor::empty_like(x);
  const auto tiles = static_cast<int>(x.size(0));
  launch("reverse_tiles", reverse_tiles_kernel, 1, 64, 0, x.data<float>(), y.mutate<float>(), tiles,
         static_cast<int>((tiles - 1) * x.size(1) + last));
  return y;
}

Tensor bf16_product(const Tensor& c, const Tensor& a, const Tensor& b) {
  Tensor sum = c.clone();
  launch("bf16_product", bf16_kernel, 1, 32, 0, a.data<bf16>(), b.data<bf16>(), sum.mutate<float>());
  return sum;
}

Tensor bf16_product_of_matrices(const Tensor& c, const Tensor& a, const Tensor& b) {
  Tensor sum = c.clone();
  launch("bf16_product_of_matrices", matrices_kernel, 1, 32, 384 * sizeof(bf16), a.data<bf16>(),
         b.data<bf16>(), sum.mutate<float>());
  return sum;
}

Tensor tensor_core_product(const Tensor& c, const Tensor& a, const Tensor& b) {
  Tensor sum = c.clone();
  launch("tensor_core_product", tensor_core_kernel, 1, 32, 0, a.data<float>(), b.data<float>(),
         sum.mutate<float>());
  return sum;
}

std::vector<int32_t> count_threads(std::array<unsigned, 3> grid, std::array<unsigned, 3> block) {
  const dim3 g(grid[0], grid[1], grid[2]), b(block[0], block[1], block[2]);
  const Tensor out = ints(int64_t{g.x} * g.y * g.z * b.x * b.y * b.z);
  launch("count_threads", count_threads_kernel, g, b, 0, out.mutate<int>());
  return out.to_vector<int>();
}

std::vector<int32_t> exchange(Exchange kind, int argument, int width) {
  const Tensor out = ints(32);
  launch("exchange", exchange_kernel, 1, 32, 0, out.mutate<int>(), kind, argument, width);
  return out.to_vector<int>();
}

std::vector<double> exchange_doubles() {
  const Tensor out = Tensor::zeros({32}, DType::f64, Device::cuda);
  launch("exchange_doubles", exchange_doubles_kernel, 1, 32, 0, out.mutate<double>());
  return out.to_vector<double>();
}

std::vector<int32_t> votes(uint32_t values) {
  const Tensor out = ints(3);
  launch("votes", votes_kernel, 1, 32, 0, out.mutate<int>(), values);
  return out.to_vector<int>();
}

std::vector<int32_t> votes_apart() {
  const Tensor out = ints(32);
  launch("votes_apart", votes_apart_kernel, 1, 32, 0, out.mutate<int>());
  return out.to_vector<int>();
}

std::vector<int32_t> warp_broadcast(int threads) {
  const Tensor out = ints(threads);
  launch("warp_broadcast", warp_broadcast_kernel, 1, threads, 0, out.mutate<int>());
  return out.to_vector<int>();
}

std::vector<int32_t> reverse_thrice(int threads) {
  const Tensor out = ints(threads);
  launch("reverse_thrice", reverse_thrice_kernel, 1, threads, sizeof(double) * static_cast<size_t>(threads),
         out.mutate<int>());
  return out.to_vector<int>();
}

std::vector<int32_t> barrier_votes(int below) {
  const Tensor out = ints(3);
  launch("barrier_votes", barrier_votes_kernel, 1, 96, 0, out.mutate<int>(), below);
  return out.to_vector<int>();
}

std::vector<int32_t> atomics(int blocks) {
  const Tensor out = ints(9);
  out.copy_from(Tensor::from(std::vector<int32_t>{0, 0, 0, 0, 0, -1, 0, 0, 0}, {9}));
  launch("atomics", atomics_kernel, blocks, 128, 0, out.mutate<int>());
  return out.to_vector<int>();
}

Tensor copy_float4(const Tensor& x) { return copy_by<float4, float>(x); }
Tensor copy_double2(const Tensor& x) { return copy_by<double2, double>(x); }
Tensor copy_int4(const Tensor& x) { return copy_by<int4, int32_t>(x); }

Tensor block_reductions(const Tensor& x, int threads) {
  Tensor y = Tensor::empty({x.size(0), 2}, x.dtype(), Device::cuda);
  dispatch_float(x.dtype(), "block_reductions", [&]<class T>() {
    launch("block_reductions", reductions_kernel<T>, static_cast<unsigned>(x.size(0)), threads, 0,
           x.data<T>(), y.mutate<T>(), x.size(1));
  });
  return y;
}

std::vector<int32_t> group_sums() {
  const Tensor out = ints(32);
  launch("group_sums", group_sums_kernel, 1, 32, 0, out.mutate<int>());
  return out.to_vector<int>();
}

Tensor fast_exps2(const Tensor& x) {
  Tensor y = Tensor::empty_like(x);
  launch_each("fast_exps2", x.numel(), FastExp2{x.data<float>(), y.mutate<float>()});
  return y;
}

std::vector<int32_t> squares(int64_t n) {
  const Tensor out = ints(n);
  launch_each("squares", n, Square{out.mutate<int>()});
  return out.to_vector<int>();
}

Tensor checked_gather(const Tensor& table, const Tensor& index) {
  Tensor y = Tensor::empty(index.shape(), DType::f32, Device::cuda);
  launch_each("checked_gather", index.numel(),
              CheckedGather{table.data<float>(), index.data<int>(), y.mutate<float>(), table.numel(),
                            index_check("gather", "index")});
  return y;
}

void launch_nothing() { launch("none", nothing, dim3(3, 0, 2), 32, 0); }
void launch_too_many() { launch("too_many", nothing, 1, 1025, 0); }

}  // namespace fade::test
