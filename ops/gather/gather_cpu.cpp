#include "engine/parallel.h"
#include "ops/check.h"
#include "ops/gather/gather_kernels.h"

namespace fade {
namespace {

void gather_cpu(const char* op, const Tensor& x, const Tensor& index, Along s, int64_t m, Out y) {
  check_indices(op, "index", index, 0, s.n);
  dispatch_float(x.dtype(), op, [&]<class T>() {
    const T* in = x.data<T>();
    const int32_t* at = index.data<int32_t>();
    T* out = y.mutate<T>();
    parallel_rows(s.outer * m, s.inner, [&](int64_t row) {
      const T* lines = in + row / m * s.n * s.inner;
      for (int64_t i = 0; i < s.inner; ++i)
        out[row * s.inner + i] = lines[at[row * s.inner + i] * s.inner + i];
    });
  });
}

// Each thread takes whole lines: no two write to one element, and every sum runs in the order of k.
void scatter_add_cpu(const char* op, const Tensor& source, const Tensor& index, Along s, int64_t m, Out y) {
  check_indices(op, "index", index, 0, s.n);
  dispatch_float(source.dtype(), op, [&]<class T>() {
    const T* in = source.data<T>();
    const int32_t* at = index.data<int32_t>();
    T* out = y.mutate<T>();
    parallel_row_ranges(s.outer * s.inner, m, [&](int64_t begin, int64_t end) {
      for (int64_t line = begin; line < end;) {  // those of one `outer` together
        const int64_t o = line / s.inner, first = line % s.inner;
        const int64_t last = std::min(s.inner, first + end - line);
        for (int64_t k = o * m; k < (o + 1) * m; ++k) {
          for (int64_t i = first; i < last; ++i)
            out[(o * s.n + at[k * s.inner + i]) * s.inner + i] += in[k * s.inner + i];
        }
        line += last - first;
      }
    });
  });
}

[[maybe_unused]] const bool registered = gather_kernel.implement(Device::cpu, gather_cpu) &&
                                         scatter_add_kernel.implement(Device::cpu, scatter_add_cpu);

}  // namespace
}  // namespace fade
