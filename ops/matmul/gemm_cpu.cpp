// The blocks of Goto and van de Geijn ("Anatomy of high-performance matrix multiplication", 2008), for
// products with many rows and few columns. A block of b is copied into panels of two vectors of columns; a
// few rows of a at a time are multiplied with all panels. a is read in place unless it is transposed: copying
// it, as a general BLAS does, takes a tenth of the time at this project's sizes (docs/performance.md).
#include "ops/matmul/gemm_cpu.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/matmul/gemm_cpu.cpp"
#include <hwy/foreach_target.h>
// After foreach_target: included once per instruction set.
#include "engine/simd-inl.h"
#include "ops/matmul/product-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {
namespace {

constexpr int64_t kPanelBytes = 1 << 15;          // of b: the size of a small L1
constexpr int64_t kBlockElements = 1 << 16;       // of b: half of a small L2
constexpr int64_t kRowsAtATime = 8 * kBlockRows;  // of a
// Of a: up to so many, copying b costs more than it saves. This is of a b that is not transposed, whose rows have the
// vectors of columns of a panel; of a transposed b they would have to be gathered, and few_rows.h has another way.
constexpr int64_t kRowsInPlace = 32;

/// The columns of a panel, two vectors, and the depth at which it has kPanelBytes.
template <class T>
constexpr int64_t kWidth = 2 * hn::MaxLanes(hn::ScalableTag<T>());
template <class T>
constexpr int64_t kDepth = kPanelBytes / (kWidth<T> * static_cast<int64_t>(sizeof(T)));

/// Copies x [depth, count] into strips [depth][kStrip] of consecutive numbers, one strip after the other:
/// columns [0, kStrip) of x, [kStrip, 2·kStrip) and so on. Columns that a last strip has beyond x are not
/// written. x is read a few rows at a time: rows a power of two apart compete for the same lines of L1.
template <int64_t kStrip, class T>
void pack(const T* x, int64_t stride, int64_t depth, int64_t count, T* to) {
  constexpr int64_t kRowsTogether = 8;
  for (int64_t k0 = 0; k0 < depth; k0 += kRowsTogether) {
    for (int64_t at = 0; at < count; at += kStrip) {
      for (int64_t k = k0; k < std::min(depth, k0 + kRowsTogether); ++k) {
        T* strip = to + at * depth + k * kStrip;
        const T* from = x + k * stride + at;
        if (at + kStrip <= count)
          std::memcpy(strip, from, kStrip * sizeof(T));
        else
          std::copy_n(from, count - at, strip);
      }
    }
  }
}

/// The same for xᵀ, x [count, depth].
template <int64_t kStrip, class T>
void pack_transposed(const T* x, int64_t stride, int64_t depth, int64_t count, T* to) {
  for (int64_t at = 0; at < count; at += kStrip)
    transpose(x + at * stride, stride, std::min(kStrip, count - at), depth, to + at * depth, kStrip);
}

/// Panels of b, [depth][kWidth] numbers each: copies, one after the other, or columns of b in place.
template <class T>
struct Panels {
  const T* first;
  int64_t next_panel, next_row;
};

/// c [rows, C vectors] = a·panel, or += if `add`; blocks of rows are `next_block` apart in a.
template <int C, class T>
HWY_NOINLINE void panel_product(int64_t rows, int64_t depth, StridedMatrix<T> a, int64_t next_block,
                                Rows<const T> panel, Rows<T> c, bool add) {
  if (add)
    product_strip<Into::add, kBlockRows, C>(rows, a, next_block, panel, c, depth);
  else
    product_strip<Into::overwrite, kBlockRows, C>(rows, a, next_block, panel, c, depth);
}

/// The same for a last panel with fewer columns: vectors would reach beyond the rows of c.
template <class T>
void edge_product(int64_t rows, int64_t columns, int64_t depth, StridedMatrix<T> a, int64_t next_block,
                  Rows<const T> panel, Rows<T> c, bool add) {
  HWY_ALIGN T buffer[kRowsAtATime * kWidth<T>];
  const Rows<T> sums{buffer, kWidth<T>};
  const auto copy = [&](Rows<T> from, Rows<T> to) {
    for (int64_t r = 0; r < rows; ++r)
      std::copy_n(from.data + r * from.stride, columns, to.data + r * to.stride);
  };
  if (add) copy(c, sums);
  if (columns > kWidth<T> / 2)
    panel_product<2>(rows, depth, a, next_block, panel, sums, add);
  else
    panel_product<1>(rows, depth, a, next_block, panel, sums, add);
  copy(sums, c);
}

/// A product whose b (or part of b) fits the buffer of the panels.
template <class T>
struct Block {
  StridedMatrix<T> a, b;
  Rows<T> y;
  int64_t rows, columns, depth;
};

/// The panels of b, copied to `buffer` unless they are used only a few times.
template <class T>
Panels<T> panels_of(const Block<T>& x, T* buffer) {
  constexpr int64_t W = kWidth<T>;
  if (x.b.column != 1)
    pack_transposed<W>(x.b.data, x.b.column, x.depth, x.columns, buffer);
  else if (x.rows <= kRowsInPlace && x.columns % W == 0)
    return {x.b.data, W, x.b.row};
  else
    pack<W>(x.b.data, x.b.row, x.depth, x.columns, buffer);
  return {buffer, W * x.depth, W};
}

template <class T>
void block_product(const Block<T>& x, bool add, T* b_buffer, T* a_buffer) {
  const Panels<T> panels = panels_of(x, b_buffer);
  for (int64_t r = 0; r < x.rows; r += kRowsAtATime) {
    const int64_t rows = std::min(kRowsAtATime, x.rows - r);
    StridedMatrix<T> a{x.a.data + r * x.a.row, x.a.row, x.a.column};
    int64_t next_block = kBlockRows * a.row;
    if (a.column != 1) {  // transposed: the numbers of one row are far apart
      pack<kBlockRows>(a.data, a.column, x.depth, rows, a_buffer);
      a = {a_buffer, 1, kBlockRows};
      next_block = kBlockRows * x.depth;
    }
    for (int64_t c = 0; c < x.columns; c += kWidth<T>) {
      const Rows<const T> panel{panels.first + c / kWidth<T> * panels.next_panel, panels.next_row};
      const Rows<T> y{x.y.data + r * x.y.stride + c, x.y.stride};
      if (c + kWidth<T> <= x.columns)
        panel_product<2>(rows, x.depth, a, next_block, panel, y, add);
      else
        edge_product(rows, x.columns - c, x.depth, a, next_block, panel, y, add);
    }
  }
}

template <class T>
void product_of_part(const T* a, const T* b, T* y, const MatmulSizes& s, const GemmPart& part) {
  constexpr int64_t W = kWidth<T>;
  const auto [ta, tb] = s.transpose;
  const StridedMatrix<T> from_a{a + part.row * (ta ? 1 : s.k), ta ? 1 : s.k, ta ? s.m : 1};
  const StridedMatrix<T> from_b{b, tb ? 1 : s.n, tb ? s.k : 1};
  if (s.k == 0 && !s.add)  // empty sums
    for (int64_t r = part.row; r < part.row + part.rows; ++r)
      std::fill_n(y + r * s.n + part.column, part.columns, T{0});
  if (s.k == 0) return;
  const int64_t deepest = std::min(s.k, kDepth<T>);
  const int64_t widest = std::min(kBlockElements / deepest / W, (part.columns + W - 1) / W) * W;
  const Tensor buffer =
      Tensor::empty({deepest * (widest + (ta ? kRowsAtATime + kBlockRows : 0))}, dtype_of<T>);
  T* panels = buffer.mutate<T>();
  const int64_t end = part.column + part.columns;
  for (int64_t j = part.column; j < end; j += widest) {
    for (int64_t k = 0; k < s.k; k += deepest) {
      const Block<T> block{.a = {from_a.data + k * from_a.column, from_a.row, from_a.column},
                           .b = {from_b.data + k * from_b.row + j * from_b.column, from_b.row, from_b.column},
                           .y = {y + part.row * s.n + j, s.n},
                           .rows = part.rows,
                           .columns = std::min(widest, end - j),
                           .depth = std::min(deepest, s.k - k)};
      block_product(block, s.add || k > 0, panels, panels + widest * deepest);
    }
  }
}

void gemm_f32(const float* a, const float* b, float* y, const MatmulSizes& s, const GemmPart& part) {
  product_of_part(a, b, y, s, part);
}
void gemm_f64(const double* a, const double* b, double* y, const MatmulSizes& s, const GemmPart& part) {
  product_of_part(a, b, y, s, part);
}

}  // namespace
}  // namespace fade::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fade {

HWY_EXPORT(gemm_f32);
HWY_EXPORT(gemm_f64);

template <>
void gemm(const float* a, const float* b, float* y, const MatmulSizes& s, const GemmPart& part) {
  HWY_DYNAMIC_DISPATCH(gemm_f32)(a, b, y, s, part);
}
template <>
void gemm(const double* a, const double* b, double* y, const MatmulSizes& s, const GemmPart& part) {
  HWY_DYNAMIC_DISPATCH(gemm_f64)(a, b, y, s, part);
}

}  // namespace fade
#endif
