// The few array functions that the engine itself needs, as kernels. Operations for users are in ops/.
#pragma once

#include "engine/kernel.h"
#include "engine/tensor.h"

namespace fade {

/// out = value, any type.
inline constinit Kernel<void(double value, Out out)> fill_kernel{"fill"};
/// out = src, converted to out's type. Same shapes.
inline constinit Kernel<void(const Tensor& src, Out out)> convert_kernel{"convert"};
/// sum += x. Same shapes and floating-point type; bf16 on CUDA.
inline constinit Kernel<void(const Tensor& x, Out sum)> add_into_kernel{"add_into"};
/// out = sum of src over the dimensions in which out's shape broadcasts to src's. Fixed order of additions.
inline constinit Kernel<void(const Tensor& src, Out out)> sum_to_kernel{"sum_to"};

/// `src` summed down to `shape` (the adjoint of broadcasting). Throws when `shape` does not broadcast to src's.
Tensor sum_to(const Tensor& src, const Shape& shape);

}  // namespace fade
