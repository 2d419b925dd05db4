// The closing report of `fade train`, on standard output.
#pragma once

#include "train/config/config.h"
#include "train/run.h"

namespace fade {

/// Prints the validation's bits per byte, compared with what needs no model; for expire_span a
/// table of mean spans by kind of byte; for the recall corpus the questions answered at each
/// distance; and where the checkpoint is.
void print_report(const FinishedRun& run, const Config& config);

}  // namespace fade
