// Continuing a run from its newest checkpoint: what must be as it was, and what follows from what differs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "train/checkpoint/run_directory.h"
#include "train/trainer.h"

namespace fade {

/// Where a run continues.
struct Resumed {
  std::optional<int64_t> step;     ///< of the checkpoint; none when the run starts from the beginning
  std::optional<BestResult> best;  ///< validation of the run so far, if it counts
  /// The validation reads other bytes than before: earlier results do not count.
  bool other_validation = false;
  std::vector<std::string> notes;  ///< for the console
};

/// Throws InputError, naming what differs, when there is a checkpoint in `run`, and it was trained with
/// other settings than `config` or on other bytes: its figures, or those after more training, would not
/// be the configuration's. With a constant schedule, more train.steps may be set; and what changes no
/// figure: data.path, and what a run logs and keeps. With `minutes` (RunOptions), train.steps does not count;
/// in a run whose number of steps was chosen, the minutes do. Throws as resume does when there are checkpoints
/// and none is whole.
void require_unchanged(const Config& config, const std::filesystem::path& run, double minutes);

/// Restores the trainer, which is new, from the newest whole checkpoint of `directory`. When the corpus
/// or its split is another, streams continue at the same offset if they are long enough, with empty
/// memories, and the best validation starts anew. Another optimizer starts with moments of zero. `timed`: the run
/// keeps its checkpoint's number of steps, which may be 0, whatever the configuration has. Throws InputError,
/// naming all of them, when settings differ that must stay (docs/runs.md), when there are checkpoints and none is
/// whole, or when the run has done more than train.steps.
Resumed resume(Trainer& trainer, const RunDirectory& directory, bool timed);

}  // namespace fade
