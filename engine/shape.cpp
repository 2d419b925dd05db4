#include "engine/shape.h"

#include <algorithm>

#include "engine/error.h"

namespace fade {

Shape::Shape(std::initializer_list<int64_t> sizes) {
  for (int64_t s : sizes) append(s);
}

void Shape::append(int64_t size) {
  if (dims_ == kMaxDims)
    fail("shape {}: a tensor has at most {} dimensions (reshape first)", str(), kMaxDims);
  size_[dims_++] = 1;
  set(-1, size);
}

void Shape::set(int i, int64_t size) {
  const int k = index(i);
  if (size < 0) fail("shape: size {} of dimension {} is negative (give it the size that it has)", size, k);
  size_[k] = size;
  int64_t bytes = sizeof(double);  // must not overflow, even where a size of 0 makes them 0
  for (int d = 0; d < dims_; ++d)
    if (__builtin_mul_overflow(bytes, std::max<int64_t>(size_[d], 1), &bytes))
      fail("shape {}: more elements than any memory holds (is a size wrong?)", str());
}

std::string Shape::str() const {
  std::string s = "[";  // not fmt::join: GCC 12 warns falsely inside it
  for (int i = 0; i < dims_; ++i) {
    if (i > 0) s += ',';
    s += std::to_string(size_[i]);
  }
  s += ']';
  return s;
}

void Shape::bad_index(int i) const {
  if (dims_ == 0) fail("shape []: there is no dimension {} (a single number has none)", i);
  fail("shape {}: there is no dimension {} (they count from 0 to {}, or from -1 down to -{})", str(), i,
       dims_ - 1, dims_);
}

Shape broadcast(const Shape& a, const Shape& b, const char* who) {
  if (a == b) return a;
  const int n = std::max(a.dims(), b.dims());
  Shape out;
  for (int i = 0; i < n; ++i) {
    const int ia = i - (n - a.dims()), ib = i - (n - b.dims());
    const int64_t x = ia < 0 ? 1 : a[ia], y = ib < 0 ? 1 : b[ib];
    if (x != y && x != 1 && y != 1)
      fail(
          "{}: {} and {} do not broadcast: sizes {} and {} differ and neither is 1 "
          "(reshape one, or add dimensions of size 1 to it)",
          who, a.str(), b.str(), x, y);
    out.append(x == 1 ? y : x);
  }
  return out;
}

bool broadcasts(const Shape& s, const Shape& to) {
  const int lead = to.dims() - s.dims();
  for (int i = 0; i < s.dims(); ++i)
    if (lead < 0 || (s[i] != 1 && s[i] != to[lead + i])) return false;
  return true;
}

Strides broadcast_strides(const Shape& s, const Shape& as) {
  Strides strides{};
  int64_t step = 1;
  for (int i = s.dims() - 1, o = as.dims() - 1; i >= 0; --i, --o) {
    strides[o] = s[i] == 1 ? 0 : step;
    step *= s[i];
  }
  return strides;
}

Shape merge_dims(const Shape& shape, std::span<Strides> operands) {
  Shape merged;
  for (int d = 0; d < shape.dims(); ++d) {
    if (shape[d] == 1) continue;
    const int last = merged.dims() - 1;
    bool joins = last >= 0;
    for (const Strides& s : operands) joins = joins && s[last] == s[d] * shape[d];
    if (joins)
      merged.set(last, merged[last] * shape[d]);
    else
      merged.append(shape[d]);
    for (Strides& s : operands) s[merged.dims() - 1] = s[d];
  }
  return merged;
}

}  // namespace fade
