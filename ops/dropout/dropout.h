// Dropout (Srivastava et al. 2014), inverted: kept values are scaled up, so evaluation needs no change.
#pragma once

#include "engine/rng.h"
#include "engine/tensor.h"

namespace fade {

/// One use of dropout: the probability, and the random numbers that decide. A part of a tensor with its `first` has
/// the decisions of that part of the whole.
struct DropoutDraw {
  double p = 0;        ///< probability that an element is dropped; 0: none is
  RngKey key = {};     ///< the stream of random numbers
  uint64_t first = 0;  ///< element i takes decision first + i of that stream (ops/dropout/keep_bits.h)
};

/// y_i = x_i/(1 − p) where element i is kept, else 0.   dx = the same function of g.   Saves nothing: the mask is
/// drawn again. The same draw gives the same mask on every device. Decisions are made on 16 random bits
/// (ops/dropout/keep_bits.h): p, in the factor too, is rounded up to a multiple of 2^-16, and is at most
/// 1 − 2^-16. p = 0 returns x itself. x has any shape, f32 or f64 (on CUDA bf16, too). Throws unless 0 ≤ p < 1.
Tensor dropout(const Tensor& x, const DropoutDraw& draw);

}  // namespace fade
