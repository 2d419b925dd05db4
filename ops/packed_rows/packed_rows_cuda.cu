#include "engine/cuda/cuda.h"
#include "ops/packed_rows/packed_rows_kernels.h"

namespace fade {
namespace {

struct AgeOfRow {
  const int32_t* memory_age;
  int32_t* out;
  int64_t memory_rows, block;
  __device__ void operator()(int64_t row) const {
    out[row] = row < memory_rows ? memory_age[row] : -static_cast<int32_t>((row - memory_rows) % block);
  }
};

void context_ages_cuda(const Tensor& memory_age, int64_t block, Out age) {
  launch_each("context_ages", age.numel(),
              AgeOfRow{memory_age.data<int32_t>(), age.mutate<int32_t>(), memory_age.numel(), block});
}

[[maybe_unused]] const bool registered = context_ages_kernel.implement(Device::cuda, context_ages_cuda);

}  // namespace
}  // namespace fade
