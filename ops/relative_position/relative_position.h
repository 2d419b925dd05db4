// The relative-position skew: from scores by distance to scores by row.
#pragma once

#include "engine/tensor.h"

namespace fade {

/// y[b,h,i,j] = by_distance[b,h,i, δ−1] where the distance δ = age[b,j] + i is within 1..P, else 0.
///   by_distance [B, K, M, P], f32 or f64: scores of query i against each distance
///   age i32 [B, L]: positions from row j to the first query of the block (0, −1, ... inside the block;
///   kPaddingAge for padding) → y [B, K, M, L]
/// dby_distance[.., δ−1] = Σ g over the rows at distance δ.   Saves age.
/// Rows may come in any order; with ages in descending order this is the pad-and-reshape skew of
/// Transformer-XL (Dai et al. 2019, appendix B). Throws for other shapes or types.
Tensor relative_position(const Tensor& by_distance, const Tensor& age);

/// scores + relative_position(by_distance, age), scores [B, K, M, L] of the same type; dscores = g. Touches only
/// columns within reach, in the memory of `scores` if nothing else refers to it: a product that is given as it
/// is computed, or with std::move.
Tensor add_relative_position(Tensor scores, const Tensor& by_distance, const Tensor& age);

}  // namespace fade
