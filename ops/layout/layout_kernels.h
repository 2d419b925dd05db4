// Kernels of the layout operations, for elements of any type.
#pragma once

#include "engine/kernel.h"
#include "engine/tensor.h"

namespace fade {

/// y's dimension i is x's dimension source[i].
struct Order {
  int8_t source[kMaxDims] = {};
};
inline constinit Kernel<void(const Tensor& x, Order order, const Tensor& y)> permute_kernel{"permute"};

/// Strips of two tensors, in elements: strip k is [k·src_pitch + src_at, + length) of the one and
/// [k·dst_pitch + dst_at, + length) of the other. A slice of any dimension is a set of strips.
struct Strips {
  int64_t count, length;
  int64_t src_pitch, src_at, dst_pitch, dst_at;
};
/// Copies the strips of src into those of dst.
inline constinit Kernel<void(const Tensor& src, const Tensor& dst, Strips s)> copy_strips{"copy_strips"};
/// Adds the strips of src to those of dst; floating point.
inline constinit Kernel<void(const Tensor& src, const Tensor& dst, Strips s)> add_strips{"add_strips"};

}  // namespace fade
