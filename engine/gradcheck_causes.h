// For gradcheck: what usually causes gradients that are wrong in a certain way.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/gradcheck_differences.h"

namespace fade {

/// An element of an input, with its gradient and its slope.
struct ComparedElement {
  int64_t element;
  double gradient, slope;
  double allowed;  ///< how far apart they may be
  enum class Verdict { right, wrong, kink, not_finite } verdict;
  double low = 0, high = 0;  ///< at a kink: the slopes on its sides

  bool wrong() const { return verdict == Verdict::wrong; }
};

/// An input after the comparison.
struct ComparedInput {
  Shape shape;
  bool arrived;                           ///< whether the tape had a gradient for it
  std::vector<ComparedElement> elements;  ///< ascending
  double noise;                           ///< of the slopes, typically

  int64_t wrong() const;  ///< how many elements are
  /// Those that are, or the first `most` of them.
  std::vector<ComparedElement> wrong_elements(size_t most = ~size_t{0}) const;
  bool complete() const { return static_cast<int64_t>(elements.size()) == shape.numel(); }
};

/// A sentence for the person who wrote the gradient rule of input `k`, some of whose elements are wrong.
std::string usual_cause(std::span<const ComparedInput> inputs, size_t k, const Differences& differences,
                        double step);

/// "[2, 3]": where element `i` is.
std::string coordinates(const Shape& shape, int64_t i);

}  // namespace fade
