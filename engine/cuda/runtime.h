// What engine/cuda/cuda.h takes from CUDA: the launch of a kernel on the GPU. (emulate/cuda.h is
// its emulated counterpart.)
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

namespace fade {

/// The stream on which everything runs, in order; within SideStream::run, that one.
cudaStream_t cuda_stream();

/// Throws Error when `code` is not success, with `what` failed, CUDA's description and a remedy.
void check_cuda(cudaError_t code, const char* what);

namespace cuda_detail {

/// Before a launch: more than 48 KiB of dynamic shared memory must be requested.
void allow_shared_bytes(const char* name, const void* kernel, size_t bytes);
/// After a launch: throws, naming the kernel and its sizes, when it was refused.
void check_launch(const char* name, dim3 grid, dim3 block, size_t shared_bytes);

template <class... P>
void run_kernel(const char* name, void (*kernel)(P...), dim3 grid, dim3 block, size_t shared_bytes,
                const P&... args) {
  allow_shared_bytes(name, reinterpret_cast<const void*>(kernel), shared_bytes);
  kernel<<<grid, block, shared_bytes, cuda_stream()>>>(args...);
  check_launch(name, grid, block, shared_bytes);
}

__device__ inline void* dynamic_shared_memory() {
  extern __shared__ __align__(16) unsigned char fade_dynamic_shared[];
  return fade_dynamic_shared;
}

__device__ inline float fast_exp2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

__device__ inline void mma_tf32(float (&c)[4], const float (&a)[4], const float (&b)[2]) {
  const auto bits = [](float x) { return __float_as_uint(x); };
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(bits(a[0])), "r"(bits(a[1])), "r"(bits(a[2])), "r"(bits(a[3])), "r"(bits(b[0])), "r"(bits(b[1])));
}

struct Caller {  // (the emulated device names it in errors)
  static __device__ constexpr Caller current() { return {}; }
};

// "memory": the compiler keeps the accesses to both places on their side of the copy and of the wait.
__device__ inline void copy_async(void* shared, const void* global, bool valid, Caller) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
               :
               : "r"(static_cast<unsigned>(__cvta_generic_to_shared(shared))), "l"(global),
                 "r"(valid ? 16 : 0)
               : "memory");
}

__device__ inline void close_copies() { asm volatile("cp.async.commit_group;" : : : "memory"); }

template <int under_way>
__device__ void wait_for_copies() {
  asm volatile("cp.async.wait_group %0;" : : "n"(under_way) : "memory");
}

__device__ inline uint32_t bf16_pair(float low, float high) {
  uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}

__device__ inline void mma_bf16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

template <bool transposed>
__device__ void load_matrices(uint32_t (&to)[4], const void* row) {
  const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(row));
  if constexpr (transposed)
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(address)
                 : "memory");
  else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(address)
                 : "memory");
}

}  // namespace cuda_detail
}  // namespace fade
