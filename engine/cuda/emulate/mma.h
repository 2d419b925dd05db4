// The products of tensor cores, and the loads of their operands.
#pragma once

#include "engine/bf16.h"
#include "engine/cuda/emulate/thread.h"

namespace fade::emulate {

/// As fade::mma_tf32 (engine/cuda/mma.h). Throws where an operand is not rounded to TF32.
void mma_tf32(float (&c)[4], const float (&a)[4], const float (&b)[2], Site site = Site::current());

/// As fade::mma_bf16.
void mma_bf16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], Site site = Site::current());

/// As fade::bf16_pair.
inline uint32_t bf16_pair(float low, float high) { return bf16(low).bits | uint32_t{bf16(high).bits} << 16; }

/// Eight numbers of 16 bits.
struct alignas(16) MatrixRow {
  uint32_t pairs[4];
};

/// Throws where `row` is not 16-byte aligned.
void check_matrix_row(const void* row, Site site);
/// What each lane receives of the four matrices, of whose rows it brings one.
void exchange_matrices(uint32_t (&to)[4], const MatrixRow& own, bool transposed, Site site);

/// As fade::load_matrices and load_matrices_transposed. The read itself is here: in the kernel's file, so that
/// the race detector sees it.
template <bool transposed>
void load_matrices(uint32_t (&to)[4], const void* row, Site site = Site::current()) {
  check_matrix_row(row, site);
  const MatrixRow own = *static_cast<const MatrixRow*>(row);
  exchange_matrices(to, own, transposed, site);
}

}  // namespace fade::emulate
