// One weight applied to two matrices of rows without joining them: a layer's memory and its block.
#pragma once

#include "engine/tensor.h"

namespace fade {

/// y = [top; bottom]·weightᵀ.
///   top [N1, I], bottom [N2, I], weight [O, I], of one type, f32 or f64 → y [N1 + N2, O]
/// or, on CUDA, of bf16 with a weight of f32, which is rounded to bf16; products are summed in f32.
/// With g = [g1; g2]:  dtop = g1·weight,  dbottom = g2·weight,  dweight = g1ᵀ·top + g2ᵀ·bottom.
/// Saves top, bottom, weight (rounded, if it was).   Memory (top) is a constant, so dtop is not computed; matmul of the joined
/// rows would compute it. Throws for other shapes or types.
Tensor linear_rows(const Tensor& top, const Tensor& bottom, const Tensor& weight);

}  // namespace fade
