// One number per row of two matrices, without joining them: the logits of spans, from a layer's memory and block.
#pragma once

#include "engine/tensor.h"

namespace fade {

/// y_n = Σ_i weight_i·x_ni for the rows x of [top; bottom]: linear_rows with one output, in one pass over the rows.
///   top [N1, I], bottom [N2, I], f32, f64, or bf16 on CUDA; weight [1, I] → y [N1 + N2, 1], both of the type of the
///   rows, f32 for bf16
/// dx_n = g_n·weight,  dweight = Σ_n g_n·x_n.   Saves top, bottom, weight. Throws for other shapes or types.
Tensor row_dots(const Tensor& top, const Tensor& bottom, const Tensor& weight);

}  // namespace fade
