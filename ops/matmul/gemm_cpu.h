// A matrix product in parts, one per thread. gemm_cpu.cpp computes them, compiled once per instruction set.
#pragma once

#include <algorithm>

#include "engine/parallel.h"
#include "ops/matmul/few_rows.h"

namespace fade {

/// The fewest multiplications of a product that are worth a thread.
inline constexpr int64_t kWorkGrain = 64 * 64 * 32;

/// Part of the result of a product: rows [row, row + rows), columns [column, column + columns).
struct GemmPart {
  int64_t row, rows, column, columns;
};

/// Computes that part of one product y = op(a)·op(b), or y +=, sizes and transposes as in `s` (its batch is
/// not read). The bits of an element do not depend on the part that it belongs to.
template <class T>
void gemm(const T* a, const T* b, T* y, const MatmulSizes& s, const GemmPart& part);

/// Computes one product, as gemm or, of few rows, few_rows does, in parts along its longer side, on several threads.
/// Calls then(part) for each part on the thread that has computed it.
template <class T, class F>
void product_in_parts(const T* a, const T* b, T* y, const MatmulSizes& s, F&& then) {
  constexpr int64_t kSideGrain = 64;       // fewest rows or columns per thread
  constexpr int64_t kReadGrain = 1 << 13;  // fewest elements of b per thread, where its reading counts
  if (has_few_rows(s)) {
    parallel_for(s.n, kReadGrain / std::max<int64_t>(s.k, 1) + 1, [&](int64_t begin, int64_t end) {
      few_rows(a, b, y, s, begin, end - begin);
      then(GemmPart{0, s.m, begin, end - begin});
    });
    return;
  }
  const bool by_rows = s.m >= s.n;
  const int64_t side = by_rows ? s.m : s.n;
  const int64_t grain = s.m * s.n * s.k < 2 * kWorkGrain ? side : kSideGrain;
  parallel_for(side, grain, [&](int64_t begin, int64_t end) {
    const GemmPart part =
        by_rows ? GemmPart{begin, end - begin, 0, s.n} : GemmPart{0, s.m, begin, end - begin};
    gemm(a, b, y, s, part);
    then(part);
  });
}

}  // namespace fade
