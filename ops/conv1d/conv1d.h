// Convolution along one dimension.
#pragma once

#include "engine/tensor.h"

namespace fade {

/// As in PyTorch's conv1d. `stride`, `dilation` and `groups` are at least 1.
struct Conv1dOptions {
  int64_t stride = 1;    ///< positions from one result to the next
  int64_t padding = 0;   ///< zeros before and after each line of x
  int64_t dilation = 1;  ///< positions from one element of the kernel to the next
  int64_t groups = 1;    ///< channels are cut into so many groups, each convolved by itself
};

/// y[b,o,t] = bias[o] + Σ_c Σ_k weight[o,c,k]·x[b, c, t·stride − padding + k·dilation], x zero outside its
/// positions, c over the input channels of o's group. The kernel is not reversed, so that the name of this in
/// signal processing is correlation.
///   x [B, C, L], weight [O, C/groups, K], bias [O] or none, of one type, f32 or f64 → y [B, O, T],
///   T = (L + 2·padding − dilation·(K − 1) − 1) div stride + 1
/// Each window of x is a row of a matrix (im2col), and y is one product per group: y = columns·weightᵀ.
/// dcolumns = g·weight, added up where windows overlap; dweight = gᵀ·columns; dbias = Σ g.
/// Saves x and weight: the columns, K/stride times as large as x, are made again for backward.
/// Throws when sizes or types do not fit each other, or the kernel is empty or longer than the padded line.
Tensor conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              const Conv1dOptions& options = {});

}  // namespace fade
