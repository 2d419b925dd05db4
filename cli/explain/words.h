// What `fade explain` prints.
#pragma once

#include <string>
#include <vector>

#include "cli/explain/span_gradient.h"
#include "models/config.h"

namespace fade {

/// What the numbers are about, besides themselves.
struct Explained {
  const std::vector<SpanGradient>& layers;  ///< all of the model
  size_t layer;                             ///< the one whose terms are told
  const std::vector<uint8_t>& text;
  std::string name;  ///< of the text
  int64_t row;
  const ModelConfig& model;

  const SpanGradient& told() const { return layers[layer]; }
};

/// Whether the row is kept longer or let go, and which queries want it, in one sentence.
std::string verdict(const Explained& e);

/// For a terminal: the totals of every layer, the terms of one, the sums with their numbers put in, and the
/// verdict. Only the kMostQueries queries with the largest terms are listed, unless `all`, which also lists
/// the heads of each.
std::string explanation(const Explained& e, bool all);
inline constexpr size_t kMostQueries = 12;

/// The same as one JSON object: spec section 10.
std::string explanation_json(const Explained& e);

}  // namespace fade
