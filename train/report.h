// What a model has learned, printed at the end of a run: bits per byte, and what it remembers and forgets.
#pragma once

#include "train/trainer.h"

namespace fade {

/// Prints to standard output the validation figure, a table of mean spans by kind of byte, and for the recall
/// corpus how many questions are answered at each distance.
void print_report(const Trainer& trainer, const Config& config, const Corpus& corpus);

}  // namespace fade
