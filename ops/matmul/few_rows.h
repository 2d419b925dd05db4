// Products of a few rows with a transposed matrix, as of the few positions that are read at a time when a text is
// generated or compressed. b is read in place, once: copying it into panels, as gemm_cpu.cpp does, would take longer than
// the product. The numbers of a column of bᵀ follow one another, so each element is a scalar product in vectors along k.
// Where b is not transposed, those of a row do: gemm reads them in place as vectors of columns (kRowsInPlace).
#pragma once

#include "ops/matmul/matmul_kernels.h"

namespace fade {

/// True where few_rows is the faster way: a has few rows, and b several times as many.
inline bool has_few_rows(const MatmulSizes& s) {
  constexpr int64_t kMost = 16, kTimes = 4;
  return s.m <= kMost && kTimes * s.m <= s.n && !s.transpose.a && s.transpose.b;
}

/// As gemm, of all rows, where has_few_rows: columns [column, column + columns) of y [m, n] = a [m, k]·bᵀ, b [n, k],
/// or y +=. The bits of an element do not depend on m, or on the columns that are computed with it; but they are not
/// those of gemm, so that those of a product change with m where has_few_rows does.
template <class T>
void few_rows(const T* a, const T* b, T* y, const MatmulSizes& s, int64_t column, int64_t columns);

}  // namespace fade
