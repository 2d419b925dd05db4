#include "engine/parallel.h"
#include "ops/relative_position/relative_position_kernels.h"

namespace fade {
namespace {

// Calls f(row, ages, i) for each row [.., i, :] of a [B, K, M, ·] tensor; `ages` [L] are those of its stream.
template <class F>
void for_each_query(const Shape& s, const Tensor& age, F&& f) {
  const int32_t* ages = age.data<int32_t>();
  const int64_t heads = s[1], queries = s[2], context = age.size(1);
  parallel_rows(s[0] * heads * queries, context,
                [&](int64_t row) { f(row, ages + row / (heads * queries) * context, row % queries); });
}

void forward(const Tensor& x, const Tensor& age, Out y) {
  dispatch_float(x.dtype(), "relative_position", [&]<class T>() {
    const T* px = x.data<T>();
    T* py = y.mutate<T>();
    const int64_t distances = x.size(3), context = y.size(3);
    for_each_query(x.shape(), age, [&](int64_t row, const int32_t* ages, int64_t i) {
      const T* from = px + row * distances;
      T* to = py + row * context;
      for (int64_t j = 0; j < context; ++j) {
        const int64_t p = ages[j] + i - 1;
        to[j] = p >= 0 && p < distances ? from[p] : T{0};
      }
    });
  });
}

void backward(const Tensor& g, const Tensor& age, Out dx) {
  dispatch_float(g.dtype(), "relative_position", [&]<class T>() {
    const T* pg = g.data<T>();
    T* out = dx.mutate<T>();
    const int64_t distances = dx.size(3), context = g.size(3);
    for_each_query(g.shape(), age, [&](int64_t row, const int32_t* ages, int64_t i) {
      const T* from = pg + row * context;
      T* to = out + row * distances;
      std::fill_n(to, distances, T{0});
      for (int64_t j = 0; j < context; ++j) {
        const int64_t p = ages[j] + i - 1;
        if (p >= 0 && p < distances) to[p] += from[j];
      }
    });
  });
}

[[maybe_unused]] const bool registered = relative_position_forward.implement(Device::cpu, forward) &&
                                         relative_position_backward.implement(Device::cpu, backward);

}  // namespace
}  // namespace fade
