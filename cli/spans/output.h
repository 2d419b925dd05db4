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

/// What a page calls the text and the checkpoint. Any bytes.
struct PageNames {
  std::string text, run;
};

/// The strongest rows of a query that a page shows at most.
inline constexpr int kStrongestOnPage = 16;

/// The page (spans.html). At most 4 MB for a text of 20,000 bytes or less, and 30 MB for others: where it would
/// be larger, it has fewer of the strongest rows. Throws InputError when that does not help. `layer`: the choice
/// of layers to begin with, as LayerChoice::parse reads it.
std::string spans_page(const SpanReading& reading, const StrongestRows& rows, const PageNames& names,
                       const std::string& layer);

/// Whose spans are shown, in a sentence.
std::string span_sentence(const SpanReading& reading);

}  // namespace fade
