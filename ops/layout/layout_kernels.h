// Kernels of the layout operations, for elements of any type.
#pragma once

#include "engine/kernel.h"
#include "engine/tensor.h"

namespace fade {

/// y's dimension i is x's dimension source[i].
struct DimOrder {
  int8_t source[kMaxDims] = {};
};
inline constinit Kernel<void(const Tensor& x, DimOrder order, Out y)> permute_kernel{"permute"};

/// Equally spaced runs of elements in each of two tensors: run k is [k·src_pitch + src_at, + length) of the
/// source and [k·dst_pitch + dst_at, + length) of the destination. A slice of any dimension is such a set.
struct Slices {
  int64_t count, length;
  int64_t src_pitch, src_at, dst_pitch, dst_at;
};
/// Copies the slices of src to those of dst.
inline constinit Kernel<void(const Tensor& src, Slices s, Out dst)> copy_slices{"copy_slices"};
/// Adds the slices of src to those of dst; floating point.
inline constinit Kernel<void(const Tensor& src, Slices s, Out dst)> add_slices{"add_slices"};

}  // namespace fade
