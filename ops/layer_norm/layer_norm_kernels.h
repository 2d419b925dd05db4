// Kernels of layer_norm over rows of H numbers.
#pragma once

#include "engine/kernel.h"

namespace fade {

/// With s = x + residual, written to `sum` (of the type of x), or s = x where residual and sum are empty tensors:
/// y = (s − mean)·rstd·weight + bias, and mean and rstd = 1/sqrt(var + eps) of each row, both [rows], of the type
/// of the weight.
inline constinit Kernel<void(const Tensor& x, const Tensor& residual, const Tensor& weight,
                             const Tensor& bias, double eps, Out sum, Out y, Out mean, Out rstd)>
    layer_norm_forward{"layer_norm"};
/// Computes those of dx, dweight and dbias that are tensors, from g, shaped like x, which is the sum where there
/// was a residual. dweight and dbias are sums over rows in an order that depends on the sizes only.
inline constinit Kernel<void(const Tensor& g, const Tensor& x, const Tensor& weight, const Tensor& mean,
                             const Tensor& rstd, Out dx, Out dweight, Out dbias)>
    layer_norm_backward{"layer_norm"};

}  // namespace fade
