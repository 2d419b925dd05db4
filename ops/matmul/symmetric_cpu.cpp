#include "ops/matmul/symmetric_cpu.h"

#include "ops/matmul/gemm_cpu.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/matmul/symmetric_cpu.cpp"
#include "hwy/foreach_target.h"  // compiles this file again for each instruction set

#include "engine/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {
namespace {

// Of one block. Smaller ones leave less above the diagonal that is computed in vain, but copy b more often.
constexpr int64_t kRows = 32;

/// y [n, n]: copies what is below the diagonal in rows [row, row + rows), rows ≤ kRows, to above it.
template <class T>
void mirror(T* y, int64_t n, int64_t row, int64_t rows) {
  transpose(y + row * n, n, rows, row, y + row, n);
  HWY_ALIGN T block[kRows * kRows];
  T* const corner = y + row * n + row;
  transpose(corner, n, rows, rows, block, kRows);
  for (int64_t r = 0; r < rows; ++r)
    std::copy_n(block + r * kRows + r + 1, rows - r - 1, corner + r * n + r + 1);
}

template <class T>
void product(const T* a, const T* b, T* y, const MatmulSizes& s) {
  const int64_t blocks = (s.m + kRows - 1) / kRows;
  const auto compute = [&](int64_t block) HWY_ATTR {
    const int64_t row = block * kRows, rows = std::min(kRows, s.m - row);
    gemm(a, b, y, s, {row, rows, 0, row + rows});
    mirror(y, s.m, row, rows);
  };
  // A block near the top and one near the bottom together have as many columns as any other such pair.
  const int64_t pairs = (blocks + 1) / 2;
  parallel_for(pairs, s.m * s.m * s.k < 4 * kWorkGrain ? pairs : 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      compute(i);
      if (blocks - 1 - i != i) compute(blocks - 1 - i);
    }
  });
}

void product_f32(const float* a, const float* b, float* y, const MatmulSizes& s) { product(a, b, y, s); }
void product_f64(const double* a, const double* b, double* y, const MatmulSizes& s) { product(a, b, y, s); }

}  // namespace
}  // namespace fade::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fade {

HWY_EXPORT(product_f32);
HWY_EXPORT(product_f64);

template <>
void symmetric_product(const float* a, const float* b, float* y, const MatmulSizes& s) {
  HWY_DYNAMIC_DISPATCH(product_f32)(a, b, y, s);
}
template <>
void symmetric_product(const double* a, const double* b, double* y, const MatmulSizes& s) {
  HWY_DYNAMIC_DISPATCH(product_f64)(a, b, y, s);
}

}  // namespace fade
#endif
