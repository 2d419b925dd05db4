// Products of matrices on tensor cores: the one place that issues them.
#pragma once

#include "engine/bf16.h"
#include "engine/cuda/cuda.h"
#include "engine/cuda/tf32.h"

namespace fade {

/// c += a·b, a [16, 8], b [8, 8], c [16, 8], spread over the 32 lanes of a warp as PTX lays out the fragments
/// of mma.m16n8k8 with .tf32 operands. Lane 4g + t, 0 ≤ g < 8, 0 ≤ t < 4, holds
///
///   a: (g, t) (g + 8, t) (g, t + 4) (g + 8, t + 4)     b: (t, g) (t + 4, g)
///   c: (g, 2t) (g, 2t + 1) (g + 8, 2t) (g + 8, 2t + 1)
///
/// a and b are rounded already (to_tf32): tensor cores ignore the other bits. All lanes of the warp call it.
/// The numbering of the inner dimension is free: a column of a may be any, if it meets the same row of b.
__device__ inline void mma_tf32(float (&c)[4], const float (&a)[4], const float (&b)[2]) {
  cuda_detail::mma_tf32(c, a, b);
}

/// Two numbers, rounded to bf16 (as bf16's constructor), in one register: `low` in its lower half.
__device__ inline uint32_t bf16_pair(float low, float high) { return cuda_detail::bf16_pair(low, high); }

/// c += a·b, a [16, 16], b [16, 8], c [16, 8], of bf16 in pairs as bf16_pair makes them, summed in f32, spread
/// over the lanes of a warp as PTX lays out the fragments of mma.m16n8k16 with .bf16 operands. Lane 4g + t holds
///
///   a: (g, 2t..) (g + 8, 2t..) (g, 2t + 8..) (g + 8, 2t + 8..)     b: (2t.., g) (2t + 8.., g)
///   c: as of mma_tf32
///
/// where 2t.. stands for the pair 2t and 2t + 1. All lanes of the warp call it.
__device__ inline void mma_bf16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  cuda_detail::mma_bf16(c, a, b);
}

/// Loads four matrices of 8 × 8 numbers of 16 bits from shared memory (ldmatrix.m8n8.x4). `row`, 16-byte aligned,
/// of lane 8m + r is row r of matrix m, 8 numbers; lane 4g + t receives in to[m] the pair (g, 2t) (g, 2t + 1) of
/// matrix m. So the rows may lie anywhere, and take 8 × 16 bytes of all banks at a time if they are in different
/// ones. All lanes of the warp call it.
__device__ inline void load_matrices(uint32_t (&to)[4], const bf16* row) {
  cuda_detail::load_matrices<false>(to, row);
}
/// The same with each matrix transposed: lane 4g + t receives the pair (2t, g) (2t + 1, g).
__device__ inline void load_matrices_transposed(uint32_t (&to)[4], const bf16* row) {
  cuda_detail::load_matrices<true>(to, row);
}

}  // namespace fade
