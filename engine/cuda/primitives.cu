#include "engine/cuda/map.h"
#include "engine/cuda/sum.h"
#include "engine/primitives.h"

namespace fade {
namespace {

template <class T>
struct Constant {
  T value;
  __device__ T operator()() const { return value; }
};

template <class T>
struct ConvertTo {
  template <class S>
  __device__ T operator()(S v) const {
    return static_cast<T>(v);
  }
};

// In f32 where a and b are bf16.
struct Added {
  __device__ auto operator()(auto a, auto b) const { return a + b; }
};

void fill_cuda(double value, Out out) {
  dispatch_any(out.dtype(), [&]<class T>() {
    map("fill", Constant<T>{static_cast<T>(value)}, out.numel(), out.mutate<T>());
  });
}

void convert_cuda(const Tensor& src, Out out) {
  dispatch_any(src.dtype(), [&]<class S>() {
    dispatch_any(out.dtype(), [&]<class T>() {
      map("convert", ConvertTo<T>{}, out.numel(), out.mutate<T>(), src.data<S>());
    });
  });
}

void add_into_cuda(const Tensor& x, Out sum) {
  dispatch_stored_float(sum.dtype(), "add_into", [&]<class T>() {
    T* to = sum.mutate<T>();
    map("add_into", Added{}, sum.numel(), to, static_cast<const T*>(to), x.data<T>());
  });
}

// One dimension after the other, from the last to the first; neighbouring summed dimensions are merged.
void sum_to_cuda(const Tensor& src, Out out) {
  const Shape& from = src.shape();
  if (from.numel() == 0) return backend(Device::cuda).zero(out.mutate_bytes(), out.size_bytes());
  Strides strides[] = {broadcast_strides(from, from), broadcast_strides(out.shape(), from)};
  const Shape s = merge_dims(from, strides);
  const auto summed = [&](int d) { return strides[1][d] == 0; };
  int left = 0;
  for (int d = 0; d < s.dims(); ++d) left += summed(d);
  if (left == 0) return out.copy_from(src.view(out.shape()));
  Tensor x = src;
  int64_t inner = 1;  // elements of x beyond dimension d
  for (int d = s.dims() - 1; left > 0; --d) {
    if (!summed(d)) {
      inner *= s[d];
      continue;
    }
    const int64_t outer = s.numel(0, d);
    const Tensor y = --left == 0 ? out : Tensor::empty({outer, inner}, DType::f64, Device::cuda);
    sum_middle("sum_to", x, {outer, s[d], inner}, 1, y);
    x = y;
  }
}

[[maybe_unused]] const bool registered = fill_kernel.implement(Device::cuda, fill_cuda) &&
                                         convert_kernel.implement(Device::cuda, convert_cuda) &&
                                         add_into_kernel.implement(Device::cuda, add_into_cuda) &&
                                         sum_to_kernel.implement(Device::cuda, sum_to_cuda);

}  // namespace
}  // namespace fade
