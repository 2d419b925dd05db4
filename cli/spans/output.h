// What `fade spans` writes of a reading.
#pragma once

#include <string>

#include "cli/spans/reading.h"

namespace fade {

/// Whose spans shade a text: those of one layer, or of each byte the mean or maximum over layers.
struct LayerChoice {
  enum { mean, maximum, one } kind = mean;
  size_t layer = 0;  ///< where it is one

  /// Throws InputError unless `text` is "mean", "max" or the number of a layer of the model.
  static LayerChoice parse(const std::string& text, int layers);
  /// [byte]
  std::vector<double> spans(const SpanReading& reading) const;
  /// "mean over layers", "layer 3"
  std::string name() const;
};

/// Section 10 of the specification, and the keys `kind`, `spans` (rows, heads or none: whose spans they are)
/// and `head_span` [layer][head].
std::string spans_json(const SpanReading& reading);

/// The text for a terminal with 256 colours, each character on the colour of its span (the mean of its bytes),
/// with a legend and the figures of the text below. Characters that a terminal would obey are written as \xNN.
std::string spans_ansi(const SpanReading& reading, const LayerChoice& layers);

/// Whose spans are shown, in a sentence.
std::string span_sentence(const SpanReading& reading);

}  // namespace fade
