// What a model has learned, printed at the end of a run: bits per byte, and what it remembers and forgets.
#pragma once

#include "train/trainer.h"

namespace fade {

/// Evaluates on the validation split, and prints to standard output its bits per byte beside what needs no
/// model, a table of mean spans by kind of byte, and for the recall corpus how many questions are answered at
/// each distance.
EvalResult print_report(const Trainer& trainer, const Config& config);

}  // namespace fade
