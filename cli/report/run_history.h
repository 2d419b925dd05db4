// What a run has logged, read from its directory while it trains or afterwards, and never changed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "train/config/config.h"
#include "train/run_log.h"

namespace fade {

/// One kind of lines of metrics.jsonl, as columns of the same length, in the order of the steps.
struct Curves {
  std::vector<int64_t> steps;
  std::vector<std::pair<std::string_view, std::vector<double>>>
      columns;  ///< by key; NaN where there is no number
};

/// At most about `most` of the lines: where there are more, those that hold a column's least or greatest number
/// among their neighbours, so that a picture of the rest looks the same, and the last line.
Curves thinned(const Curves& curves, size_t most);

struct RunHistory {
  std::filesystem::path path;  ///< the run's directory
  std::string name;            ///< its last part or parts: other runs of a report have another
  Config config;
  Curves training;                ///< a line per train.log_every steps
  Curves validation;              ///< a line per validation
  nlohmann::ordered_json recall;  ///< of the last validation that has it: docs/runs.md
};

/// The directory of the run that `path` means: the directory, or one of its checkpoints or files. Throws
/// InputError, with a remedy, where there is no run.
std::filesystem::path run_meant_by(const std::filesystem::path& path);

/// The training and validation lines among `lines`; of several of one step the last counts.
Curves training_curves(const std::vector<MetricsLine>& lines);
Curves validation_curves(const std::vector<MetricsLine>& lines);

/// Reads the runs that the paths mean. Throws InputError as run_meant_by does, when one is there twice, and when
/// its configuration cannot be read.
std::vector<RunHistory> read_histories(const std::vector<std::string>& paths);

}  // namespace fade
