// One weight over two matrices, one above the other, that are not joined: a layer's memory and its block.
#pragma once

#include "engine/tensor.h"

namespace fade {

/// y = [top; bottom]·weightᵀ.
///   top [N1, I], bottom [N2, I], weight [O, I] → y [N1 + N2, O]
/// With g = [g1; g2]: dtop = g1·weight, dbottom = g2·weight, dweight = g1ᵀ·top + g2ᵀ·bottom. Memory is a
/// constant, and then dtop is not computed: with matmul of the joined rows it would be.   Saves top, bottom,
/// weight.
Tensor linear_rows(const Tensor& top, const Tensor& bottom, const Tensor& weight);

}  // namespace fade
