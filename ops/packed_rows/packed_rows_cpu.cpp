#include <algorithm>

#include "ops/packed_rows/packed_rows_kernels.h"

namespace fade {
namespace {

void context_ages_cpu(const Tensor& memory_age, int64_t block, Out age) {
  int32_t* const out = age.mutate<int32_t>();
  const int64_t memory_rows = memory_age.numel();
  std::copy_n(memory_age.data<int32_t>(), memory_rows, out);
  for (int64_t i = 0; i < age.numel() - memory_rows; ++i)
    out[memory_rows + i] = static_cast<int32_t>(-(i % block));
}

[[maybe_unused]] const bool registered = context_ages_kernel.implement(Device::cpu, context_ages_cpu);

}  // namespace
}  // namespace fade
