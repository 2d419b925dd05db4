// A part of a matrix product on one thread: matmul_cpu.cpp cuts a product into parts, gemm_cpu.cpp computes
// them with SIMD, compiled once per instruction set.
#pragma once

#include "ops/matmul/matmul_kernels.h"

namespace fade {

/// Part of the result of a product: rows [row, row + rows), columns [column, column + columns).
struct GemmPart {
  int64_t row, rows, column, columns;
};

/// Computes that part of one product y = op(a)·op(b), or y +=, sizes and transposes as in `s` (its batch is
/// not read). s.k > 0. The bits of an element do not depend on the part that it belongs to.
template <class T>
void gemm(const T* a, const T* b, T* y, const MatmulSizes& s, const GemmPart& part);

}  // namespace fade
