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
  std::optional<int64_t> step;  ///< of the checkpoint; none when the run starts from the beginning
  std::optional<BestResult> best;
  bool other_validation =
      false;  ///< the validation reads other bytes than before: earlier results do not count
  std::vector<std::string> notes;  ///< for the console
};

/// Restores the trainer, which is new, from the newest whole checkpoint of `directory`. When the corpus
/// or its split is another, streams continue at the same offset if they are long enough, with empty
/// memories, and the best validation starts anew; `same_validation`: that is refused instead. Another
/// optimizer starts with moments of zero. Throws InputError, naming all of them, when settings differ
/// that must stay (stays_when_resumed), when there are checkpoints and none is whole, or when the run has
/// done more than train.steps.
Resumed resume(Trainer& trainer, const RunDirectory& directory, bool same_validation);

}  // namespace fade
