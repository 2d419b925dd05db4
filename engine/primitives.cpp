#include "engine/primitives.h"

#include <algorithm>

#include "engine/parallel.h"

namespace fade {
namespace {

void fill_cpu(double value, Out out) {
  dispatch_any(out.dtype(), [&]<class T>() {
    T* o = out.mutate<T>();
    std::fill(o, o + out.numel(), static_cast<T>(value));
  });
}

void convert_cpu(const Tensor& src, Out out) {
  dispatch_any(src.dtype(), [&]<class S>() {
    dispatch_any(out.dtype(), [&]<class T>() {
      const S* s = src.data<S>();
      std::transform(s, s + src.numel(), out.mutate<T>(), [](S v) { return static_cast<T>(v); });
    });
  });
}

void add_into_cpu(const Tensor& x, Out sum) {
  dispatch_float(sum.dtype(), "add_into", [&]<class T>() {
    T* o = sum.mutate<T>();
    const T* a = x.data<T>();
    parallel_elements(sum.numel(), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) o[i] += a[i];
    });
  });
}

// src [rows, columns] -> out [columns]: a bias gradient.
template <class T>
void sum_rows(const T* s, T* o, int64_t rows, int64_t columns) {
  parallel_for(columns, std::max<int64_t>(16, kElementsPerThread / std::max<int64_t>(rows, 1)),
               [&](int64_t begin, int64_t end) {
                 std::fill(o + begin, o + end, T{0});
                 for (int64_t r = 0; r < rows; ++r)
                   for (int64_t c = begin; c < end; ++c) o[c] += s[r * columns + c];
               });
}

template <class T>
void sum_strided(const T* s, T* o, const Shape& from, const Shape& to) {
  const auto stride = broadcast_strides(to, from);
  std::fill(o, o + to.numel(), T{0});
  const int last = from.dims() - 1;
  const int64_t inner = from[last], step = stride[last];
  int64_t at[kMaxDims] = {};
  for (int64_t i = 0; i < from.numel(); i += inner) {
    int64_t to_at = 0;
    for (int d = 0; d < last; ++d) to_at += at[d] * stride[d];
    for (int64_t k = 0; k < inner; ++k) o[to_at + k * step] += s[i + k];
    for (int d = last - 1; d >= 0 && ++at[d] == from[d]; --d) at[d] = 0;
  }
}

void sum_to_cpu(const Tensor& src, Out out) {
  dispatch_float(src.dtype(), "sum_to", [&]<class T>() {
    const Shape &from = src.shape(), &to = out.shape();
    const int lead = from.dims() - to.dims();
    const bool only_leading = from.numel(lead, from.dims()) == to.numel();
    if (from.numel() == 0)
      backend(Device::cpu).zero(out.mutate_bytes(), out.size_bytes());
    else if (only_leading)
      sum_rows(src.data<T>(), out.mutate<T>(), from.numel(0, lead), to.numel());
    else
      sum_strided(src.data<T>(), out.mutate<T>(), from, to);
  });
}

[[maybe_unused]] const bool registered =
    fill_kernel.implement(Device::cpu, fill_cpu) && convert_kernel.implement(Device::cpu, convert_cpu) &&
    add_into_kernel.implement(Device::cpu, add_into_cpu) && sum_to_kernel.implement(Device::cpu, sum_to_cpu);

}  // namespace

Tensor sum_to(const Tensor& src, const Shape& shape) {
  if (src.shape() == shape) return src;
  if (!broadcasts(shape, src.shape()))
    fail("sum_to: {} cannot be summed to {} (each size must be the same, or 1, or missing in front)",
         src.shape().str(), shape.str());
  Tensor out = Tensor::empty(shape, src.dtype(), src.device());
  sum_to_kernel(src.device(), src, out);
  return out;
}

}  // namespace fade
