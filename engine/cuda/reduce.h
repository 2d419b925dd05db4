// Reductions over the threads of a warp or of a thread block, in an order that depends only on the size of
// the thread block. Every thread receives the result. Part of engine/cuda/cuda.h.
#pragma once

namespace fade {

/// a + b.
struct Sum {
  /// The sum.
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};

/// The smaller number.
struct Min {
  /// b if b < a, else a.
  template <class T>
  __device__ T operator()(T a, T b) const {
    return b < a ? b : a;
  }
};

/// As std::fmax, but a NaN wins.
struct Max {
  /// The larger number, or b if that is a NaN.
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a < b || b != b ? b : a;  // NOLINT(misc-redundant-expression): is b a NaN?
  }
};

/// The thread's number within its thread block, x first.
__device__ inline int thread_rank() {
  return static_cast<int>(threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z));
}

/// Over groups of `width` neighbouring lanes (a power of two); all 32 lanes call it.
template <int width = kWarp, class T, class Op>
__device__ T warp_reduce(T value, Op op) {
  for (int distance = width / 2; distance > 0; distance /= 2)
    value = op(value, __shfl_xor_sync(~0u, value, distance));
  return value;
}

/// warp_reduce of all 32 lanes by addition.
template <class T>
__device__ T warp_sum(T value) {
  return warp_reduce(value, Sum{});
}

/// Over a thread block whose size is a multiple of 32; all its threads call it. op(x, identity) = x.
template <class T, class Op>
__device__ T block_reduce(T value, Op op, T identity) {
  __shared__ T of_warp[kWarp];
  const int lane = thread_rank() % kWarp, warp = thread_rank() / kWarp;
  const int warps = static_cast<int>(blockDim.x * blockDim.y * blockDim.z) / kWarp;
  value = warp_reduce(value, op);
  __syncthreads();  // the previous call's readers are done
  if (lane == 0) of_warp[warp] = value;
  __syncthreads();
  return warp_reduce(lane < warps ? of_warp[lane] : identity, op);
}

/// block_reduce by addition.
template <class T>
__device__ T block_sum(T value) {
  return block_reduce(value, Sum{}, T{0});
}

}  // namespace fade
