// The linear layer: a product with its bias, activation and dropout.
#pragma once

#include "engine/tensor.h"
#include "ops/dropout/dropout.h"

namespace fade {

/// What follows x·Wᵀ + b.
struct LinearOptions {
  bool relu = false;         ///< max(·, 0)
  DropoutDraw dropout = {};  ///< then, of y's elements
  bool f32_result = false;   ///< of bf16 x: y is f32, such as logits
};

/// y = dropout(relu(x·weightᵀ + bias)), with what the options ask for.
///   x [.., I], weight [O, I], bias [O] or an empty tensor → y [.., O]
/// All are f32 or f64, of one type; or, on CUDA, x is bf16 and weight and bias are f32. Then weight, and bias
/// unless y is f32, are rounded to bf16; products are summed in f32, and y is bf16.
///   dz = g where y > 0, divided by 1 − p, else 0 (without relu: g);   dx = dz·weight,  dweight = dzᵀ·x,
///   db = Σ dz over all rows.
/// Saves x, weight (rounded, if it was), and with relu y, whose zeros are the mask: nothing is drawn again.
/// The mask is that of dropout (ops/dropout). Throws for other shapes or types, and unless 0 ≤ p < 1.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              const LinearOptions& options = {});

}  // namespace fade
