// Commits one fault, named on the command line, on the emulated device. emulate_test.cpp checks how the
// program ends and what it prints.
#include <algorithm>
#include <cstdio>
#include <string>

#include "engine/cuda/cuda.h"
#include "engine/tensor.h"

namespace fade {
namespace {

__global__ void wild_pointer(float* p) {
  if (blockIdx.x == 2 && threadIdx.x == 5) p[int64_t{1} << 50] = 1;
}

__global__ void one_too_far(float* p) {
  if (blockIdx.x == 2 && threadIdx.x == 5) p[100] = 1;
}

__global__ void static_too_far(float* p) {
  __shared__ float tile[64];
  float* volatile some = tile;  // volatile hides it from the compiler and UBSan
  some[threadIdx.x * 64 / 5] = 1;
  __syncthreads();
  p[threadIdx.x] = tile[threadIdx.x];
}

__global__ void dynamic_too_far(float* p) {
  float* const tile = dynamic_shared<float>();
  tile[threadIdx.x * 64 / 5] = 1;
  __syncthreads();
  p[threadIdx.x] = tile[threadIdx.x];
}

__global__ void misaligned(float* p) {
  if (threadIdx.x == 5) *reinterpret_cast<float4*>(p + 1) = {1, 2, 3, 4};
}

__attribute__((noinline)) float deep(volatile float* p, int n) {
  volatile float here[64] = {};
  here[n % 64] = p[0];
  return n == 0 ? here[0] : deep(here, n - 1) + here[1];
}

__global__ void no_end(float* p) {
  if (threadIdx.x == 5) p[0] = deep(p, 1000000);
}

// Reads what its neighbour wrote, without a barrier in between.
__global__ void no_barrier(float* p) {
  __shared__ float line[32];
  line[threadIdx.x] = 0;
  __syncthreads();
  line[threadIdx.x] = 1;
  p[threadIdx.x] = line[(threadIdx.x + 31) % 32];
}

void fault(const std::string& what) {
  const Tensor x = Tensor::zeros({100}, DType::f32, Device::cuda);
  float* const p = x.mutate<float>();
  if (what == "wild_pointer") launch("wild_pointer", wild_pointer, 4, 32, 0, p);
  if (what == "one_too_far") launch("one_too_far", one_too_far, 4, 32, 0, p);
  if (what == "static_too_far") launch("static_too_far", static_too_far, 1, 6, 0, p);
  if (what == "dynamic_too_far") launch("dynamic_too_far", dynamic_too_far, 1, 6, 64 * sizeof(float), p);
  if (what == "misaligned") launch("misaligned", misaligned, 1, 32, 0, p);
  if (what == "no_end") launch("no_end", no_end, 1, 32, 0, p);
  if (what == "no_barrier") {
    launch("no_barrier", no_barrier, 1, 32, 0, p);
    for (const float v : x.rows(0, 32).to_vector<float>()) std::printf("%g", v);
  }
  if (what == "given_back") {
    float* gone = nullptr;
    { gone = Tensor::zeros({100}, DType::f32, Device::cuda).mutate<float>(); }
    launch("given_back", one_too_far, 4, 32, 0, gone - 100);
  }
  if (what == "read_by_host") std::printf("%g", p[3]);
}

}  // namespace
}  // namespace fade

int main(int, char** argv) {
  fade::fault(argv[1]);
  std::puts(" still running");
}
