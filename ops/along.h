// Operations along one dimension: what lies before it, and after it, is one number each.
#pragma once

#include "engine/shape.h"

namespace fade {

/// A tensor seen as [outer, n, inner] around a dimension of size n. Its line (o, i) has elements
/// (o·n + k)·inner + i for 0 ≤ k < n; there are outer·inner lines.
struct Along {
  int64_t outer;  ///< product of the dimensions before
  int64_t n;      ///< the dimension
  int64_t inner;  ///< product of the dimensions after
};

/// `s` seen around dimension `dim`, which is not negative (Shape::index).
inline Along along(const Shape& s, int dim) {
  return {.outer = s.numel(0, dim), .n = s[dim], .inner = s.numel(dim + 1, s.dims())};
}

/// `s` without dimension `dim`, which is not negative, or with size 1 there.
inline Shape reduced(const Shape& s, int dim, bool keep_dim) {
  Shape out;
  for (int i = 0; i < s.dims(); ++i) {
    if (i != dim)
      out.append(s[i]);
    else if (keep_dim)
      out.append(1);
  }
  return out;
}

}  // namespace fade
