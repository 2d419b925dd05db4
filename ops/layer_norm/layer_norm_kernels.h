// Kernels of layer_norm over rows of H numbers.
#pragma once

#include "engine/kernel.h"

namespace fade {

/// y = (x − mean)·rstd·weight + bias, and mean and rstd = 1/sqrt(var + eps) of each row, both [rows].
inline constinit Kernel<void(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps, Out y,
                             Out mean, Out rstd)>
    layer_norm_forward{"layer_norm"};
/// Computes those of dx, dweight and dbias that are tensors, from g, shaped like x. dweight and dbias are
/// sums over rows in an order that depends on the sizes only.
inline constinit Kernel<void(const Tensor& g, const Tensor& x, const Tensor& weight, const Tensor& mean,
                             const Tensor& rstd, Out dx, Out dweight, Out dbias)>
    layer_norm_backward{"layer_norm"};

}  // namespace fade
