// Kernels of row_dots: names and shapes as there.
#pragma once

#include "engine/host_device.h"
#include "engine/kernel.h"

namespace fade {

/// y = [top; bottom]·weightᵀ.
inline constinit Kernel<void(const Tensor& top, const Tensor& bottom, const Tensor& weight, Out y)>
    row_dots_forward{"row_dots"};
/// Computes those of the gradients that are tensors. dweight is summed in an order that depends on the sizes only.
inline constinit Kernel<void(const Tensor& g, const Tensor& top, const Tensor& bottom, const Tensor& weight,
                             Out dtop, Out dbottom, Out dweight)>
    row_dots_backward{"row_dots"};

/// The rows of [top; bottom].
template <class T>
struct JoinedRows {
  const T* top;     ///< the first rows
  const T* bottom;  ///< those that follow
  int64_t split;    ///< rows of top
  int64_t width;    ///< elements of a row

  JoinedRows(const Tensor& above, const Tensor& below)
      : top(above.data<T>()), bottom(below.data<T>()), split(above.size(0)), width(above.size(1)) {}
  FADE_HD const T* operator[](int64_t n) const {
    return n < split ? top + n * width : bottom + (n - split) * width;
  }
};

}  // namespace fade
