// Products of matrices in registers: the inner loop of matmul and of the fused attention. Included once per
// instruction set (see foreach_target in Highway). SVE is not supported: arrays of registers need vectors of
// a size known at compile time.
#if defined(FADE_PRODUCT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FADE_PRODUCT_INL_H_
#undef FADE_PRODUCT_INL_H_
#else
#define FADE_PRODUCT_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

#include "engine/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Most rows of a block of one or two vectors of columns whose sums are kept in registers. With two chains of sums
/// per row, 4 rows saturate multipliers with a latency of 4 cycles and two results per cycle; 6 rows take 12 of
/// 16 registers, 8 rows 16 of 32.
inline constexpr int kBlockRows = kManyRegisters ? 8 : 6;

/// A matrix that is read element by element: (r, k) is at data[r·row + k·column].
/// Swapped strides transpose it.
template <class T>
struct StridedMatrix {
  const T* data;
  int64_t row, column;

  HWY_INLINE T at(int64_t r, int64_t k) const { return data[r * row + k * column]; }
  /// Where the block of rows behind the first `rows` begins in data, unless blocks are copied elsewhere.
  HWY_INLINE int64_t next_block(int64_t rows) const { return rows * row; }
  HWY_INLINE void skip(int64_t /*rows*/, int64_t next_block) { data += next_block; }
};

/// A matrix that is read and written in whole vectors.
template <class T>
struct Rows {
  T* data;
  int64_t stride;

  HWY_INLINE T* row(int64_t r) const { return data + r * stride; }
  HWY_INLINE void skip(int64_t rows) { data += rows * stride; }
};

enum class Into { overwrite, add };

/// R rows and C vectors of columns of c = a·b or c += a·b; a is a StridedMatrix and c are Rows, or of types with the
/// same functions. Every element is one chain of additions in the order of k, so its bits do not depend on R or C.
template <Into kInto, int R, int C, class T, class A, class To>
HWY_INLINE void product_block(A a, Rows<const T> b, To c, int64_t depth) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = hn::Lanes(d);
  hn::Vec<decltype(d)> sum[R][C];
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < C; ++v)
      sum[r][v] = kInto == Into::add ? hn::LoadU(d, c.row(r) + v * lanes) : hn::Zero(d);
  }
  for (int64_t k = 0; k < depth; ++k) {
    hn::Vec<decltype(d)> row[C];
    for (int v = 0; v < C; ++v) row[v] = hn::LoadU(d, b.row(k) + v * lanes);
    for (int r = 0; r < R; ++r) {
      const auto x = hn::Set(d, a.at(r, k));
      for (int v = 0; v < C; ++v) sum[r][v] = hn::MulAdd(x, row[v], sum[r][v]);
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < C; ++v) hn::StoreU(sum[r][v], d, c.row(r) + v * lanes);
  }
}

/// All rows of C vectors of columns: blocks of R rows, `next_block` numbers apart in a, and one block with
/// the remaining rows.
template <Into kInto, int R, int C, class T, class A, class To>
HWY_INLINE void product_strip(int64_t rows, A a, int64_t next_block, Rows<const T> b, To c, int64_t depth) {
  for (; rows >= R; rows -= R) {
    product_block<kInto, R, C>(a, b, c, depth);
    a.skip(R, next_block);
    c.skip(R);
  }
  if constexpr (R > 1) {
    if (rows > 0) product_strip<kInto, R - 1, C>(rows, a, 0, b, c, depth);
  }
}

/// Vectors of columns of the widest block, and its rows: 32 registers have room for 24 sums and 4 vectors of b, 16 for
/// 12 and 2. A wider block reads a less often.
inline constexpr int kWideVectors = kManyRegisters ? 4 : 2, kWideRows = 6;

/// c [rows, columns] = a [rows, depth]·b [depth, columns], or +=. `columns` is rounded up to whole vectors: b
/// and c must have room for them.
template <Into kInto, class T, class A = StridedMatrix<T>, class To = Rows<T>>
HWY_NOINLINE void product(int64_t rows, int64_t columns, int64_t depth, A a, Rows<const T> b, To c) {
  const int64_t lanes = hn::Lanes(hn::ScalableTag<T>());
  const auto strip = [&]<int R, int C>() HWY_ATTR {
    product_strip<kInto, R, C>(rows, a, a.next_block(R), b, c, depth);
    b.data += C * lanes;
    c.data += C * lanes;
    columns -= C * lanes;
  };
  while (columns > (kWideVectors - 1) * lanes) strip.template operator()<kWideRows, kWideVectors>();
  if constexpr (kWideVectors > 2) {
    if (columns > lanes) strip.template operator()<kBlockRows, 2>();
  }
  if (columns > 0) strip.template operator()<kBlockRows, 1>();
}

}  // namespace fade::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
