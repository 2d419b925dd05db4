// The GPUs that this process sees, for ranks that choose one.
#include "engine/cuda/cuda.h"
#include "engine/error.h"
#include "engine/ranks/choose_gpu.h"

namespace fade {
namespace {

int count() {
  int gpus = 0;
  return cudaGetDeviceCount(&gpus) == cudaSuccess ? gpus : 0;
}

// As nvidia-smi -L prints it.
std::string name() {
  int number = 0;
  cudaDeviceProp gpu{};
  check_cuda(cudaGetDevice(&number), "find the GPU");
  check_cuda(cudaGetDeviceProperties(&gpu, number), "ask for the name of the GPU");
  std::string id;
  for (size_t i = 0; i < sizeof gpu.uuid.bytes; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) id += '-';
    id += fmt::format("{:02x}", static_cast<unsigned char>(gpu.uuid.bytes[i]));
  }
  return fmt::format("{} (GPU-{})", gpu.name, id);
}

[[maybe_unused]] const bool registered =
    register_gpus({.count = count,
                   .select = [](int number) { check_cuda(cudaSetDevice(number), "choose a GPU"); },
                   .name = name});

}  // namespace
}  // namespace fade
