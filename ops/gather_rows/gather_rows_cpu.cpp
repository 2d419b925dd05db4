#include "engine/parallel.h"
#include "ops/check.h"
#include "ops/gather_rows/gather_rows_kernels.h"

namespace fade {
namespace {

int64_t row_size(const Tensor& x) { return x.shape().numel(1, x.shape().dims()); }

void forward(const Tensor& top, const Tensor& bottom, const Tensor& index, GatherRule rule, Out y) {
  const int64_t n = row_size(top), split = top.size(0), rows = split + (bottom ? bottom.size(0) : 0);
  check_indices(rule.op, rule.what, index, rule.lowest, rows);
  const int32_t* at = index.data<int32_t>();
  dispatch_float(top.dtype(), rule.op, [&]<class T>() {
    const T *first = top.data<T>(), *second = bottom ? bottom.data<T>() : nullptr;
    T* out = y.mutate<T>();
    parallel_row_ranges(index.numel(), n, [&](int64_t p, int64_t end) {
      for (int64_t next = p; p < end; p = next) {
        ++next;
        if (at[p] < 0) {
          std::fill_n(out + p * n, n, T{0});
          continue;
        }
        while (next < end && at[next] == at[next - 1] + 1 && at[next] != split)
          ++next;  // rows that follow each other
        const T* from = at[p] < split ? first + at[p] * n : second + (at[p] - split) * n;
        std::copy_n(from, (next - p) * n, out + p * n);
      }
    });
  });
}

// Each thread takes some columns of all rows: no two write to one element,
// and every sum runs in the order of places.
void backward(const Tensor& g, const Tensor& index, Out dx) {
  dispatch_float(g.dtype(), "gather_rows", [&]<class T>() {
    const T* rows = g.data<T>();
    const int32_t* at = index.data<int32_t>();
    T* out = dx.mutate<T>();
    const int64_t n = row_size(dx), places = index.numel();
    constexpr int64_t kColumns = 16;  // fewest per thread: one cache line
    parallel_for(n, std::max(kColumns, kElementsPerThread / std::max<int64_t>(places, 1)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t p = 0; p < places; ++p) {
                     if (at[p] < 0) continue;
                     T* to = out + at[p] * n;
                     const T* from = rows + p * n;
                     for (int64_t c = begin; c < end; ++c) to[c] += from[c];
                   }
                 });
  });
}

[[maybe_unused]] const bool registered = gather_rows_forward.implement(Device::cpu, forward) &&
                                         gather_rows_backward.implement(Device::cpu, backward);

}  // namespace
}  // namespace fade
