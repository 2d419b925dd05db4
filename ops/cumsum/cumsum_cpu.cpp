#include <algorithm>

#include "engine/parallel.h"
#include "ops/cumsum/cumsum_kernels.h"

namespace fade {
namespace {

// Neighbouring lines summed together: their elements are read in whole vectors.
constexpr int64_t kLines = 256;

void cumsum_cpu(const Tensor& x, Along s, bool reverse, Out y) {
  dispatch_float(x.dtype(), "cumsum", [&]<class T>() {
    const T* in = x.data<T>();
    T* out = y.mutate<T>();
    const int64_t pieces = (s.inner + kLines - 1) / kLines;
    parallel_rows(s.outer * pieces, s.n * std::min(s.inner, kLines), [&](int64_t piece) {
      const int64_t first = piece % pieces * kLines, count = std::min(kLines, s.inner - first);
      double total[kLines];
      std::fill_n(total, count, 0.0);
      for (int64_t k = 0; k < s.n; ++k) {
        const int64_t at = (piece / pieces * s.n + (reverse ? s.n - 1 - k : k)) * s.inner + first;
        for (int64_t i = 0; i < count; ++i) out[at + i] = static_cast<T>(total[i] += in[at + i]);
      }
    });
  });
}

[[maybe_unused]] const bool registered = cumsum_kernel.implement(Device::cpu, cumsum_cpu);

}  // namespace
}  // namespace fade
