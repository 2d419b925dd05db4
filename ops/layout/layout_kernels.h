// Kernels of the layout operations, for elements of any type.
#pragma once

#include "engine/kernel.h"

namespace fade {

/// Elements of two tensors that belong together: those of a loop over `shape`, where each tensor has its own
/// strides and first element. A permutation is such a loop, and a slice of any dimension.
struct StridedCopy {
  Shape shape;
  Strides src, dst;
  int64_t src_at = 0, dst_at = 0;

  StridedCopy reversed() const { return {shape, dst, src, dst_at, src_at}; }
};
/// dst = src, any type.
inline constinit Kernel<void(const Tensor& src, const StridedCopy& c, Out dst)> strided_copy{"strided_copy"};
/// dst += src, floating point.
inline constinit Kernel<void(const Tensor& src, const StridedCopy& c, Out dst)> strided_add{"strided_add"};

}  // namespace fade
