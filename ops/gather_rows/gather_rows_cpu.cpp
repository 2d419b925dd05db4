#include "engine/parallel.h"
#include "ops/gather_rows/gather_rows_kernels.h"

namespace fade {
namespace {

constexpr int64_t kGrain = 1 << 14;  // elements a thread takes at least

int64_t row_size(const Tensor& x) { return x.shape().numel(1, x.shape().dims()); }

void check_index(const Tensor& x, const Tensor& index, GatherRule rule) {
  const int32_t* at = index.data<int32_t>();
  for (int64_t p = 0; p < index.numel(); ++p)
    if (at[p] < rule.lowest || at[p] >= x.size(0))
      fail("{}: {} at place {} is outside {}..{}, the rows of {}", rule.op, at[p], p, rule.lowest,
           x.size(0) - 1, x.shape().str());
}

void forward(const Tensor& x, const Tensor& index, GatherRule rule, const Tensor& y) {
  check_index(x, index, rule);
  dispatch_float(x.dtype(), rule.op, [&]<class T>() {
    const T* rows = x.data<T>();
    const int32_t* at = index.data<int32_t>();
    T* out = y.mutate<T>();
    const int64_t n = row_size(x);
    parallel_for(index.numel(), kGrain / std::max<int64_t>(n, 1) + 1, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) {
        if (at[p] < 0)
          std::fill_n(out + p * n, n, T{0});
        else
          std::copy_n(rows + at[p] * n, n, out + p * n);
      }
    });
  });
}

void forward_of_two(const Tensor& top, const Tensor& bottom, const Tensor& index, const Tensor& y) {
  const int64_t split = top.size(0), rows = split + bottom.size(0), n = top.size(1);
  const int32_t* at = index.data<int32_t>();
  dispatch_float(y.dtype(), "gather_rows_of", [&]<class T>() {
    const T *first = top.data<T>(), *second = bottom.data<T>();
    T* out = y.mutate<T>();
    parallel_for(index.numel(), kGrain / std::max<int64_t>(n, 1) + 1, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) {
        if (at[p] < 0 || at[p] >= rows)
          fail("gather_rows_of: {} at place {} is outside 0..{}", at[p], p, rows - 1);
        std::copy_n(at[p] < split ? first + at[p] * n : second + (at[p] - split) * n, n, out + p * n);
      }
    });
  });
}

// Threads share the columns out, so that no two write to one place and every sum runs in the order of places.
void backward(const Tensor& g, const Tensor& index, const Tensor& dx) {
  dispatch_float(g.dtype(), "gather_rows", [&]<class T>() {
    const T* rows = g.data<T>();
    const int32_t* at = index.data<int32_t>();
    T* out = dx.mutate<T>();
    const int64_t n = row_size(dx), places = index.numel();
    parallel_for(n, std::max<int64_t>(16, kGrain / std::max<int64_t>(places, 1)),
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
                                         gather_rows_of_two.implement(Device::cpu, forward_of_two) &&
                                         gather_rows_backward.implement(Device::cpu, backward);

}  // namespace
}  // namespace fade
