// A part of a matrix product on one thread: what matmul_cpu.cpp cuts and gemm_cpu.cpp computes with SIMD,
// compiled once an instruction set.
#pragma once

#include "ops/matmul/matmul.h"

namespace fade {

/// Part of a product's result: rows [row, row + rows), columns [column, column + columns).
struct GemmPart {
  int64_t row, rows, column, columns;
};

/// That part of y = op(a)·op(b), sizes and transposes as in `s`, strides of batches left out. s.k > 0. An
/// element's bits do not depend on the part it belongs to.
template <class T>
void gemm(const T* a, const T* b, T* y, const MatmulSizes& s, const GemmPart& part);

}  // namespace fade
