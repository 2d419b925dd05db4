// Products of a few rows with a transposed matrix, as of the few positions that are read at a time when a text is
// generated or compressed. b is read in place, once, as it is stored: copying it into panels, as ops/matmul/gemm_cpu.cpp
// does, would take longer than the product.
#pragma once

#include "ops/matmul/matmul_kernels.h"

namespace fade {

/// True where few_rows is the faster way: a has few rows, and b several times as many.
inline bool has_few_rows(const MatmulSizes& s) {
  constexpr int64_t kMost = 16, kTimes = 4;
  return s.m <= kMost && kTimes * s.m <= s.n && !s.transpose.a && s.transpose.b;
}

/// As gemm, of all rows, where has_few_rows: columns [column, column + columns) of y [m, n] = a [m, k]·bᵀ, b [n, k],
/// or y +=. The bits of an element do not depend on m, or on the columns that are computed with it.
template <class T>
void few_rows(const T* a, const T* b, T* y, const MatmulSizes& s, int64_t column, int64_t columns);

}  // namespace fade
