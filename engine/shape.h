// Shapes: up to six sizes, stored inline, row-major.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace fade {

inline constexpr int kMaxDims = 6;  ///< most dimensions of a shape

/// The sizes of an array, outermost dimension first; none for a single number.
class Shape {
 public:
  Shape() = default;  ///< no dimensions: one element
  /// Throws when a size is negative, there are more than kMaxDims of them, or the number of elements is beyond
  /// any memory (2⁶⁰).
  Shape(std::initializer_list<int64_t> sizes);

  int dims() const { return dims_; }  ///< number of dimensions
  /// Size of dimension i; negative i counts from the end, as in PyTorch. Throws when there is
  /// no such dimension.
  int64_t operator[](int i) const { return size_[index(i)]; }
  /// Changes the size of dimension i, or adds a last dimension. Throws as the constructor does.
  void set(int i, int64_t size);
  /// Adds a last dimension. Throws as the constructor does.
  void append(int64_t size);

  int64_t numel() const { return numel(0, dims_); }  ///< number of elements
  /// Product of the sizes of dimensions [from, to).
  int64_t numel(int from, int to) const {
    int64_t n = 1;
    for (int i = from; i < to; ++i) n *= size_[i];
    return n;
  }
  bool operator==(const Shape&) const = default;  ///< the same sizes
  std::string str() const;                        ///< "[16,64]"

  /// Non-negative position of dimension i. Throws when there is no such dimension.
  int index(int i) const {
    const int k = i < 0 ? i + dims_ : i;
    if (k < 0 || k >= dims_) bad_index(i);
    return k;
  }

 private:
  [[noreturn]] void bad_index(int i) const;
  std::array<int64_t, kMaxDims> size_{};
  int dims_ = 0;
};

/// The shape that `a` and `b` broadcast to under NumPy's rule. Throws, naming `who` and both shapes.
Shape broadcast(const Shape& a, const Shape& b, const char* who);

/// True iff a tensor of shape `s` broadcasts to `to`.
bool broadcasts(const Shape& s, const Shape& to);

/// Per dimension, the distance in elements between neighbours.
using Strides = std::array<int64_t, kMaxDims>;

/// Strides of a row-major tensor of shape `s` seen as one of shape `as`: 0 along dimensions
/// that are broadcast.
Strides broadcast_strides(const Shape& s, const Shape& as);

/// The same loop over `shape` with the fewest dimensions: those of size 1 are dropped, and neighbouring ones
/// that are contiguous in every operand are merged. Rewrites the operands' strides for the shape returned.
Shape merge_dims(const Shape& shape, std::span<Strides> operands);

}  // namespace fade
