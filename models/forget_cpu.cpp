#include <algorithm>

#include "models/forget.h"

namespace fade {
namespace {

// A comparison a row, which was just projected by a matrix product: one thread will do.
template <class T>
void find_survivors(const PackedRows& rows, const T* span, int64_t step, double reach, const Survivors& out) {
  const int32_t *start = rows.start.data<int32_t>(), *age = rows.age.data<int32_t>();
  int32_t *index = out.index.mutate<int32_t>(), *new_age = out.age.mutate<int32_t>(),
          *new_start = out.start.mutate<int32_t>();
  int32_t count = 0;
  const auto take_from = [&](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; ++j) {
      const int64_t distance = age[j] + rows.block;
      const double own = span ? static_cast<double>(span[j * step]) : 0;
      if (!survives(own, reach, distance)) continue;
      index[count] = static_cast<int32_t>(j);
      new_age[count++] = static_cast<int32_t>(distance);
    }
  };
  new_start[0] = 0;
  for (int64_t b = 0; b < rows.streams; ++b) {
    take_from(start[b], start[b + 1]);
    take_from(rows.memory_rows + b * rows.block, rows.memory_rows + (b + 1) * rows.block);
    new_start[b + 1] = count;
  }
}

void survivors_cpu(const PackedRows& rows, const Lifetime& life, const Survivors& out) {
  if (!life.span) return find_survivors<float>(rows, nullptr, 0, life.reach, out);
  dispatch_float(life.span.dtype(), "survivors", [&]<class T>() {
    find_survivors(rows, life.span.data<T>(), life.span.numel() == 1 ? 0 : 1, life.reach, out);
  });
}

void context_ages_cpu(const Tensor& memory_age, int64_t block, const Tensor& out) {
  int32_t* age = out.mutate<int32_t>();
  const int64_t memory = memory_age.numel();
  std::copy_n(memory_age.data<int32_t>(), memory, age);
  for (int64_t p = 0; p < out.numel() - memory; ++p) age[memory + p] = static_cast<int32_t>(-(p % block));
}

[[maybe_unused]] const bool registered = survivors_kernel.implement(Device::cpu, survivors_cpu) &&
                                         context_ages_kernel.implement(Device::cpu, context_ages_cpu);

}  // namespace
}  // namespace fade
