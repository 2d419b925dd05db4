#include "ops/packed_rows/packed_rows.h"

#include <algorithm>

#include "ops/packed_rows/packed_rows_kernels.h"

namespace fade {

PaddedRows pad(const PackedRows& rows) {
  const std::vector<int32_t> start = rows.start.to_vector<int32_t>(), age = rows.age.to_vector<int32_t>();
  int64_t longest = 0;
  for (int64_t b = 0; b < rows.streams; ++b) longest = std::max<int64_t>(longest, start[b + 1] - start[b]);
  const int64_t L = longest + rows.block;
  std::vector<int32_t> index(static_cast<size_t>(rows.streams * L), -1),
      padded_age(index.size(), kPaddingAge);
  for (int64_t b = 0; b < rows.streams; ++b) {
    int64_t at = b * L;
    const auto put = [&](int64_t row) {
      index[at] = static_cast<int32_t>(row);
      padded_age[at++] = age[row];
    };
    for (int64_t row = start[b]; row < start[b + 1]; ++row) put(row);
    for (int64_t i = 0; i < rows.block; ++i) put(rows.memory_rows + b * rows.block + i);
  }
  const Device device = rows.age.device();
  return {Tensor::from(index, {rows.streams, L}).to(device),
          Tensor::from(padded_age, {rows.streams, L}).to(device)};
}

Tensor context_ages(const Tensor& memory_age, int64_t streams, int64_t block) {
  const Tensor age = Tensor::empty({memory_age.numel() + streams * block}, DType::i32, memory_age.device());
  context_ages_kernel(age.device(), memory_age, block, age);
  return age;
}

}  // namespace fade
