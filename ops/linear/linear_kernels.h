// Kernels of linear.
#pragma once

#include "engine/kernel.h"
#include "ops/dropout/dropout_math.h"

namespace fade {

/// What is done with x·Wᵀ.
struct LinearFinish {
  Tensor bias;       ///< [O], of y's type; empty: none
  bool relu;         ///< after the bias
  bool drop;         ///< after that; else mask is not read
  DropoutMask mask;  ///< of the elements of y
};

/// y = finish(x·weightᵀ): x [N, I] and weight [O, I] of one type, y [N, O] of theirs (or f32 if that is bf16).
inline constinit Kernel<void(const Tensor& x, const Tensor& weight, const LinearFinish& finish, Out y)>
    linear_forward{"linear"};

/// dz = factor·g where y > 0, else 0; without y (an empty tensor), dz = g. db = Σ dz over all rows.
///   g and y [N, O], dz [N, O] of their type, or bf16 where they are f32; db [O] of the type that computes with g
/// dz is empty where it would be g itself; db where it is not needed.
inline constinit Kernel<void(const Tensor& g, const Tensor& y, double factor, Out dz, Out db)>
    linear_backward{"linear_backward"};

}  // namespace fade
