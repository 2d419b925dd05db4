#include <array>

#include "engine/parallel.h"
#include "ops/layout/layout_kernels.h"

namespace fade {
namespace {

// Calls f(x, y) for each element x of the source and y of the destination. Dimensions that both keep together
// are one line (so [B,M,K,D] <-> [B,K,M,D] copies whole heads).
template <class T, class F>
void for_each_pair(const Tensor& src, const StridedCopy& c, Out dst, const F& f) {
  if (c.shape.numel() == 0) return;
  const T* x = src.data<T>() + c.src_at;
  T* y = dst.mutate<T>() + c.dst_at;
  Strides strides[] = {c.src, c.dst};
  Shape s = merge_dims(c.shape, strides);
  if (s.dims() == 0) s.append(1);
  const int last = s.dims() - 1;
  const Strides &of_x = strides[0], &of_y = strides[1];
  const int64_t length = s[last], x_step = of_x[last], y_step = of_y[last];
  const auto for_line = [&](const T* from, T* to, int64_t n) {
    if (x_step == 1 && y_step == 1) {
      for (int64_t i = 0; i < n; ++i) f(from[i], to[i]);
    } else {
      for (int64_t i = 0; i < n; ++i) f(from[i * x_step], to[i * y_step]);
    }
  };
  if (last == 0)
    return parallel_elements(length, [&](int64_t begin, int64_t end) {
      for_line(x + begin * x_step, y + begin * y_step, end - begin);
    });
  parallel_row_ranges(s.numel(0, last), length, [&](int64_t begin, int64_t end) {
    std::array<int64_t, kMaxDims> at{};  // the line, counted up: dividing takes as long as a short line does
    const T* from = x;
    T* to = y;
    for (int64_t d = last - 1, line = begin; d >= 0; line /= s[d--]) {
      at[d] = line % s[d];
      from += at[d] * of_x[d];
      to += at[d] * of_y[d];
    }
    for (int64_t line = begin; line < end; ++line) {
      for_line(from, to, length);
      for (int d = last - 1; d >= 0; --d) {
        from += of_x[d];
        to += of_y[d];
        if (++at[d] < s[d]) break;
        from -= s[d] * of_x[d];
        to -= s[d] * of_y[d];
        at[d] = 0;
      }
    }
  });
}

void copy_cpu(const Tensor& src, const StridedCopy& c, Out dst) {
  dispatch_any(src.dtype(), [&]<class T>() { for_each_pair<T>(src, c, dst, [](T x, T& y) { y = x; }); });
}

void add_cpu(const Tensor& src, const StridedCopy& c, Out dst) {
  dispatch_float(src.dtype(), "slice",
                 [&]<class T>() { for_each_pair<T>(src, c, dst, [](T x, T& y) { y += x; }); });
}

[[maybe_unused]] const bool registered =
    strided_copy.implement(Device::cpu, copy_cpu) && strided_add.implement(Device::cpu, add_cpu);

}  // namespace
}  // namespace fade
