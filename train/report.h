// What a model has learned, told at the end of a run: bits per byte, and what it remembers and forgets.
#pragma once

#include <vector>

#include "train/trainer.h"

namespace fade {

/// Questions of the recall corpus whose fact lies `nearest` to `farthest` rows back.
struct RecallScore {
  int64_t nearest = 1, farthest = 1;
  int64_t asked = 0, right = 0;
  double percent() const { return 100.0 * static_cast<double>(right) / static_cast<double>(asked); }
};

struct Report {
  EvalResult validation;
  std::vector<RecallScore> recall = {};  ///< by distance, nearest first; empty on another corpus
};

/// Evaluates on the validation split. With `print`, tells on standard output its bits per byte beside what
/// needs no model, for expire_span a table of mean spans by kind of byte, and for the recall corpus how many
/// questions are answered at each distance. `on_block` sees each block of the evaluation.
Report report_on(const Trainer& trainer, const Config& config, bool print,
                 const std::function<void(const EvalBlock&)>& on_block = {});

}  // namespace fade
