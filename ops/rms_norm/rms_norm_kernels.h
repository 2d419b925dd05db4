// Kernels of rms_norm over rows of H numbers.
#pragma once

#include "engine/kernel.h"

namespace fade {

/// y = x·r·weight, and r = 1/sqrt(mean(x²) + eps) of each row, [rows].
inline constinit Kernel<void(const Tensor& x, const Tensor& weight, double eps, Out y, Out r)>
    rms_norm_forward{"rms_norm"};
/// dx = r·(d − n·mean(d·n)) with n = x·r and d = g·weight.
inline constinit Kernel<void(const Tensor& g, const Tensor& x, const Tensor& weight, const Tensor& r, Out dx)>
    rms_norm_backward{"rms_norm"};
/// gn = g·n, of x's shape: its sum over the rows is dweight.
inline constinit Kernel<void(const Tensor& g, const Tensor& x, const Tensor& r, Out gn)>
    rms_norm_weight_backward{"rms_norm"};

}  // namespace fade
