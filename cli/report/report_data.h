// The numbers and texts of a report on runs: what `fade report --json` prints and its page shows.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <vector>

#include "cli/report/run_history.h"
#include "train/checkpoint/store.h"

namespace fade {

struct ReportOptions {
  int64_t sample_bytes = 0;  ///< of text from each run's best checkpoint; 0: none
  /// Of the lines of a run's metrics, about so many at most, in numbers of six digits: for a page. 0: all, exactly.
  size_t most_lines = 0;
  OnDamaged on_damaged =
      {};  ///< told of a checkpoint that is damaged, instead of which an older one is taken
};

/// One JSON object (docs/runs.md): per run its curves, by the keys of metrics.jsonl, its results and a sample; and
/// each key of the configuration with the runs' values. What keeps a run from giving a sample stands in its place.
nlohmann::ordered_json report_data(const std::vector<RunHistory>& runs, const ReportOptions& options);

}  // namespace fade
