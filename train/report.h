// What a model has learned: bits per byte, the spans it gives to each kind of byte, and the
// questions it answers.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "train/trainer.h"

namespace fade {

/// The spans that a model with a span per row gives to one kind of byte.
struct KindSpans {
  std::string_view kind;          ///< "letters", "digits", ..; of the recall corpus "noise", "answer", ..
  int64_t bytes = 0;              ///< of this kind in the text
  std::vector<double> mean_span;  ///< per layer, in positions
};

/// Questions of the recall corpus whose fact lies `nearest` to `farthest` rows back.
struct RecallScore {
  int64_t nearest = 1;   ///< smallest distance, in rows
  int64_t farthest = 1;  ///< largest distance
  int64_t asked = 0;     ///< questions at these distances
  int64_t right = 0;     ///< those whose answer was the likeliest byte
  /// Of the questions asked, of which there must be one.
  double percent() const { return 100.0 * static_cast<double>(right) / static_cast<double>(asked); }
};

/// The findings of report_on.
struct Report {
  EvalResult validation;                 ///< of the validation split
  std::vector<KindSpans> spans = {};     ///< of the kinds of byte that occur; empty without a span per row
  std::vector<RecallScore> recall = {};  ///< by distance, nearest first; empty on another corpus
};

/// What an evaluation found in memory, in words: the number of rows, and their spans or what else is there.
std::string memory_text(const EvalResult& result, const ModelConfig& model);

/// Evaluates on the validation split, on all ranks of the trainer: an order of rank 0, as those of Trainer. `stop` ends
/// it. Throws as Trainer::validate does.
Report report_on(const Trainer& trainer, const std::function<bool()>& stop = {});

}  // namespace fade
