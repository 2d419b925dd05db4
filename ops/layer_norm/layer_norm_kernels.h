// Kernels of layer norm over rows of H numbers.
#pragma once

#include "engine/kernel.h"
#include "engine/tensor.h"

namespace fade {

/// y = (x − mean)·rstd·weight + bias, and each row's mean and rstd = 1/sqrt(var + eps), both [rows].
inline constinit Kernel<void(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps,
                             const Tensor& y, const Tensor& mean, const Tensor& rstd)>
    layer_norm_forward{"layer_norm"};

/// What goes back: a tensor that is not there is not wanted.
struct LayerNormGrads {
  Tensor x, weight, bias;
};
/// Fills the wanted gradients from g, shaped like x. dweight and dbias are sums over rows in an order that
/// depends on the sizes only.
inline constinit Kernel<void(const Tensor& g, const Tensor& x, const Tensor& weight, const Tensor& mean,
                             const Tensor& rstd, const LayerNormGrads& out)>
    layer_norm_backward{"layer_norm"};

}  // namespace fade
