#include "engine/parallel.h"
#include "ops/layout/layout_kernels.h"

namespace fade {
namespace {

// Writes y in order, line by line; the elements of a line are `step` apart in x. Trailing dimensions that
// keep their places make up one line, with step 1 (so [B,M,K,D] <-> [B,K,M,D] copies whole heads); if the
// last dimension moves, a line is y's last dimension.
void permute_cpu(const Tensor& x, DimOrder order, Out y) {
  dispatch_any(x.dtype(), [&]<class T>() {
    const T* in = x.data<T>();
    T* out = y.mutate<T>();
    const Shape &from = x.shape(), &to = y.shape();
    int lead = to.dims();  // dimensions of y that are not part of a line
    while (lead > 0 && order.source[lead - 1] == lead - 1) --lead;
    int64_t stride[kMaxDims] = {};  // in x, of y's dimensions
    for (int d = 0; d < lead; ++d) stride[d] = from.numel(order.source[d] + 1, from.dims());
    const bool moves = lead == to.dims() && lead > 0;
    if (moves) --lead;
    const int64_t step = moves ? stride[lead] : 1, length = to.numel(lead, to.dims());
    parallel_rows(to.numel(0, lead), length, [&](int64_t line) {
      int64_t at = 0, rest = line;
      for (int d = lead - 1; d >= 0; --d) {
        at += rest % to[d] * stride[d];
        rest /= to[d];
      }
      T* o = out + line * length;
      if (step == 1) {
        std::copy_n(in + at, length, o);
      } else {
        for (int64_t i = 0; i < length; ++i) o[i] = in[at + i * step];
      }
    });
  });
}

// Calls f(src, dst) for each slice.
template <class T, class F>
void for_each_slice(const Tensor& src, const Slices& s, Out dst, F&& f) {
  const T* from = src.data<T>() + s.src_at;
  T* to = dst.mutate<T>() + s.dst_at;
  parallel_rows(s.count, s.length, [&](int64_t k) { f(from + k * s.src_pitch, to + k * s.dst_pitch); });
}

void copy_cpu(const Tensor& src, Slices s, Out dst) {
  dispatch_any(src.dtype(), [&]<class T>() {
    for_each_slice<T>(src, s, dst, [&](const T* from, T* to) { std::copy_n(from, s.length, to); });
  });
}

void add_cpu(const Tensor& src, Slices s, Out dst) {
  dispatch_float(src.dtype(), "slice", [&]<class T>() {
    for_each_slice<T>(src, s, dst, [&](const T* from, T* to) {
      for (int64_t i = 0; i < s.length; ++i) to[i] += from[i];
    });
  });
}

[[maybe_unused]] const bool registered = permute_kernel.implement(Device::cpu, permute_cpu) &&
                                         copy_slices.implement(Device::cpu, copy_cpu) &&
                                         add_slices.implement(Device::cpu, add_cpu);

}  // namespace
}  // namespace fade
