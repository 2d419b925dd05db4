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

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Rows of the largest block whose sums are kept in registers; it is two vectors wide. With two chains of
/// sums per row, 4 rows saturate multipliers with a latency of 4 cycles and two results per cycle; 6 rows
/// take 12 of 16 registers. (On x86 only AVX-512, Highway's AVX3 and targets of lower numbers, has 32.)
inline constexpr int kBlockRows = HWY_ARCH_X86 && HWY_TARGET > HWY_AVX3 ? 6 : 8;

/// A matrix that is read element by element: (r, k) is at data[r·row + k·column].
/// Swapped strides transpose it.
template <class T>
struct StridedMatrix {
  const T* data;
  int64_t row, column;
};

/// A matrix that is read and written in whole vectors.
template <class T>
struct Rows {
  T* data;
  int64_t stride;
};

enum class Into { overwrite, add };

/// R rows and C vectors of columns of c = a·b or c += a·b. Every element is one chain of additions in the
/// order of k, so its bits do not depend on R or C.
template <Into kInto, int R, int C, class T>
HWY_INLINE void product_block(StridedMatrix<T> a, Rows<const T> b, Rows<T> c, int64_t depth) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = hn::Lanes(d);
  hn::Vec<decltype(d)> sum[R][C];
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < C; ++v)
      sum[r][v] = kInto == Into::add ? hn::LoadU(d, c.data + r * c.stride + v * lanes) : hn::Zero(d);
  }
  for (int64_t k = 0; k < depth; ++k) {
    hn::Vec<decltype(d)> row[C];
    for (int v = 0; v < C; ++v) row[v] = hn::LoadU(d, b.data + k * b.stride + v * lanes);
    for (int r = 0; r < R; ++r) {
      const auto x = hn::Set(d, a.data[r * a.row + k * a.column]);
      for (int v = 0; v < C; ++v) sum[r][v] = hn::MulAdd(x, row[v], sum[r][v]);
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < C; ++v) hn::StoreU(sum[r][v], d, c.data + r * c.stride + v * lanes);
  }
}

/// All rows of C vectors of columns: blocks of R rows, `next_block` numbers apart in a, and one block with
/// the remaining rows.
template <Into kInto, int R, int C, class T>
HWY_INLINE void product_strip(int64_t rows, StridedMatrix<T> a, int64_t next_block, Rows<const T> b,
                              Rows<T> c, int64_t depth) {
  for (; rows >= R; rows -= R) {
    product_block<kInto, R, C>(a, b, c, depth);
    a.data += next_block;
    c.data += R * c.stride;
  }
  if constexpr (R > 1) {
    if (rows > 0) product_strip<kInto, R - 1, C>(rows, a, 0, b, c, depth);
  }
}

/// c [rows, columns] = a [rows, depth]·b [depth, columns], or +=. `columns` is rounded up to whole vectors: b
/// and c must have room for them.
template <Into kInto, class T>
HWY_NOINLINE void product(int64_t rows, int64_t columns, int64_t depth, StridedMatrix<T> a, Rows<const T> b,
                          Rows<T> c) {
  const int64_t lanes = hn::Lanes(hn::ScalableTag<T>()), next_block = kBlockRows * a.row;
  for (; columns > lanes; columns -= 2 * lanes) {
    product_strip<kInto, kBlockRows, 2>(rows, a, next_block, b, c, depth);
    b.data += 2 * lanes;
    c.data += 2 * lanes;
  }
  if (columns > 0) product_strip<kInto, kBlockRows, 1>(rows, a, next_block, b, c, depth);
}

}  // namespace fade::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
