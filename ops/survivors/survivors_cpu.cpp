#include "ops/survivors/survivors_kernels.h"

namespace fade {
namespace {

// One thread is enough: one comparison per row is little work compared with the row's projections.
void survivors_cpu(const PackedRows& rows, const Lifetime& lifetime, const Survivors& out) {
  const int32_t *start = rows.start.data<int32_t>(), *age = rows.age.data<int32_t>();
  int32_t *index = out.index.mutate<int32_t>(), *new_age = out.age.mutate<int32_t>(),
          *new_start = out.start.mutate<int32_t>();
  dispatch_spans(lifetime, [&]<class T>() {
    const RowSpans<T> span(lifetime.span);
    int32_t count = 0;
    const auto keep_survivors_of = [&](int64_t begin, int64_t end) {
      for (int64_t j = begin; j < end; ++j) {
        const int64_t distance = age[j] + rows.block;
        if (!survives(span(j), lifetime.reach, distance)) continue;
        index[count] = static_cast<int32_t>(j);
        new_age[count++] = static_cast<int32_t>(distance);
      }
    };
    new_start[0] = 0;
    for (int64_t b = 0; b < rows.streams; ++b) {
      keep_survivors_of(start[b], start[b + 1]);
      keep_survivors_of(rows.memory_rows + b * rows.block, rows.memory_rows + (b + 1) * rows.block);
      new_start[b + 1] = count;
    }
  });
}

[[maybe_unused]] const bool registered = survivors_kernel.implement(Device::cpu, survivors_cpu);

}  // namespace
}  // namespace fade
