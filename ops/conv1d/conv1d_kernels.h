// Kernels of conv1d: windows as rows of a matrix, and back.
#pragma once

#include "engine/kernel.h"
#include "ops/conv1d/conv1d.h"

namespace fade {

struct Conv1dSizes {
  int64_t batch, channels, length;  ///< of x: B, C, L; `channels` those of one group
  int64_t kernel, windows;          ///< K, T
  Conv1dOptions options;
};

/// columns [groups, B, T, channels, K]: x[b, channel c of the group, t·stride − padding + k·dilation], 0 outside.
inline constinit Kernel<void(const Tensor& x, const Conv1dSizes& s, Out columns)> im2col{"conv1d"};
/// The adjoint: dx = Σ of dcolumns over the windows that hold the element, in a fixed order.
inline constinit Kernel<void(const Tensor& dcolumns, const Conv1dSizes& s, Out dx)> col2im{"conv1d"};

}  // namespace fade
