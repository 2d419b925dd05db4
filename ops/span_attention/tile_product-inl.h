// Products of small matrices in registers. Included once an instruction set (see foreach_target in Highway).
#if defined(FADE_TILE_PRODUCT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FADE_TILE_PRODUCT_INL_H_
#undef FADE_TILE_PRODUCT_INL_H_
#else
#define FADE_TILE_PRODUCT_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Registers that the sums of one block take: half of what there is, the rest holds operands. (On x86, only
/// AVX-512, Highway's AVX3 and the lower numbers, has 32.)
inline constexpr int kSums = HWY_ARCH_X86 && HWY_TARGET > HWY_AVX3 ? 8 : 16;

/// A matrix that is read element by element: (r, k) is at data[r·row + k·column], so that a transpose is a
/// swap of the strides.
template <class T>
struct Strided {
  const T* data;
  int64_t row, column;
};

/// A matrix of whole vectors, 64-byte aligned rows.
template <class T>
struct Rows {
  T* data;
  int64_t stride;
};

enum class Into { overwrite, add };

/// R rows and C vectors of columns of c = a·b or c += a·b.
template <Into kInto, int R, int C, class T>
HWY_INLINE void product_block(Strided<T> a, Rows<const T> b, Rows<T> c, int64_t depth) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = hn::Lanes(d);
  hn::Vec<decltype(d)> sum[R][C];
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < C; ++v)
      sum[r][v] = kInto == Into::add ? hn::Load(d, c.data + r * c.stride + v * lanes) : hn::Zero(d);
  for (int64_t k = 0; k < depth; ++k) {
    hn::Vec<decltype(d)> row[C];
    for (int v = 0; v < C; ++v) row[v] = hn::Load(d, b.data + k * b.stride + v * lanes);
    for (int r = 0; r < R; ++r) {
      const auto x = hn::Set(d, a.data[r * a.row + k * a.column]);
      for (int v = 0; v < C; ++v) sum[r][v] = hn::MulAdd(x, row[v], sum[r][v]);
    }
  }
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < C; ++v) hn::Store(sum[r][v], d, c.data + r * c.stride + v * lanes);
}

/// All rows of C vectors of columns: blocks of R rows, then of half as many for what is left.
template <Into kInto, int R, int C, class T>
HWY_INLINE void product_strip(int64_t rows, Strided<T> a, Rows<const T> b, Rows<T> c, int64_t depth) {
  for (; rows >= R; rows -= R) {
    product_block<kInto, R, C>(a, b, c, depth);
    a.data += R * a.row;
    c.data += R * c.stride;
  }
  if constexpr (R > 1) product_strip<kInto, R / 2, C>(rows, a, b, c, depth);
}

/// c [rows, columns] = a [rows, depth]·b [depth, columns], or += . `columns` is rounded up to whole vectors,
/// which b and c must have room for.
template <Into kInto, class T>
HWY_NOINLINE void product(int64_t rows, int64_t columns, int64_t depth, Strided<T> a, Rows<const T> b,
                          Rows<T> c) {
  const int64_t lanes = hn::Lanes(hn::ScalableTag<T>());
  int64_t vectors = (columns + lanes - 1) / lanes;
  const auto advance = [&](int64_t by) {
    vectors -= by;
    b.data += by * lanes;
    c.data += by * lanes;
  };
  constexpr int kWide = kSums / 4;
  for (; vectors >= kWide; advance(kWide)) product_strip<kInto, 4, kWide>(rows, a, b, c, depth);
  if constexpr (kWide > 2)
    for (; vectors >= 2; advance(2)) product_strip<kInto, kSums / 2, 2>(rows, a, b, c, depth);
  for (; vectors >= 1; advance(1)) product_strip<kInto, 8, 1>(rows, a, b, c, depth);
}

}  // namespace fade::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
