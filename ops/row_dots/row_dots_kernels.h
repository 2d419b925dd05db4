// Kernels of row_dots: names and shapes as there.
#pragma once

#include "engine/kernel.h"

namespace fade {

/// y = [top; bottom]·weightᵀ.
inline constinit Kernel<void(const Tensor& top, const Tensor& bottom, const Tensor& weight, Out y)>
    row_dots_forward{"row_dots"};
/// Computes those of the gradients that are tensors. dweight is summed in an order that depends on the sizes only.
inline constinit Kernel<void(const Tensor& g, const Tensor& top, const Tensor& bottom, const Tensor& weight,
                             Out dtop, Out dbottom, Out dweight)>
    row_dots_backward{"row_dots"};

}  // namespace fade
