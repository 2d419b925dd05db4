#include "ops/matmul/few_rows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/matmul/few_rows.cpp"
#include <hwy/foreach_target.h>
// After foreach_target: included once per instruction set.
#include <hwy/highway.h>

#include <algorithm>

#include "engine/simd-inl.h"
#include "ops/matmul/dots-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {
namespace {

/// Most rows of a block whose sums are kept in registers, kDots columns wide.
constexpr int kMostRows = kManyRegisters ? 4 : 2;

template <class T>
struct Product {
  const T *a, *b;
  T* y;
  MatmulSizes s;
};

/// `count` columns of y from `column` on, all rows: blocks of R rows, and one with the remaining rows.
template <int R, class T>
HWY_INLINE void columns_of(const Product<T>& x, int64_t first_row, int64_t column, int64_t count) {
  const T* b[kDots];  // a last column is computed again where there are too few
  for (int c = 0; c < kDots; ++c) b[c] = x.b + (column + std::min<int64_t>(c, count - 1)) * x.s.k;
  const auto load = [&b](auto d, int c, int64_t k) HWY_ATTR { return hn::LoadU(d, b[c] + k); };
  int64_t r = first_row;
  for (; r + R <= x.s.m; r += R) {
    T sums[R * kDots];
    dots<R>(x.a + r * x.s.k, x.s.k, load, sums);
    for (int i = 0; i < R; ++i) {
      T* const to = x.y + (r + i) * x.s.n + column;
      for (int64_t c = 0; c < count; ++c) to[c] = sums[i * kDots + c] + (x.s.add ? to[c] : 0);
    }
  }
  if constexpr (R > 1) {
    if (r < x.s.m) columns_of<R - 1>(x, r, column, count);
  }
}

template <class T>
void product(const T* a, const T* b, T* y, const MatmulSizes& s, int64_t column, int64_t columns) {
  const Product<T> x{a, b, y, s};
  for (int64_t c = 0; c < columns; c += kDots)
    columns_of<kMostRows>(x, 0, column + c, std::min<int64_t>(kDots, columns - c));
}

void few_rows_f32(const float* a, const float* b, float* y, const MatmulSizes& s, int64_t column,
                  int64_t columns) {
  product(a, b, y, s, column, columns);
}
void few_rows_f64(const double* a, const double* b, double* y, const MatmulSizes& s, int64_t column,
                  int64_t columns) {
  product(a, b, y, s, column, columns);
}

}  // namespace
}  // namespace fade::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fade {

HWY_EXPORT(few_rows_f32);
HWY_EXPORT(few_rows_f64);

template <>
void few_rows(const float* a, const float* b, float* y, const MatmulSizes& s, int64_t column,
              int64_t columns) {
  HWY_DYNAMIC_DISPATCH(few_rows_f32)(a, b, y, s, column, columns);
}
template <>
void few_rows(const double* a, const double* b, double* y, const MatmulSizes& s, int64_t column,
              int64_t columns) {
  HWY_DYNAMIC_DISPATCH(few_rows_f64)(a, b, y, s, column, columns);
}

}  // namespace fade
#endif
