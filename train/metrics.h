// metrics.jsonl: one JSON object per line, for plots and scripts.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/io/files.h"

namespace fade {

/// The lines of RUN/metrics.jsonl, in order; none when there is no such file. Lines that are not JSON objects
/// with an integer `step`, such as one that was cut off, are left out.
std::vector<nlohmann::ordered_json> read_metrics(const std::filesystem::path& run);

/// Appends to RUN/metrics.jsonl.
class Metrics {
 public:
  /// Lines of steps after `last_step` are dropped first: a resumed run writes them again. Throws
  /// when the file cannot be written.
  Metrics(const std::filesystem::path& run, int64_t last_step);

  /// Appends a line. When the file cannot be written, returns the reason; the line then waits in memory (as
  /// do up to 16 MiB of lines) and is written with the next one.
  std::optional<std::string> write(const nlohmann::ordered_json& line);

  /// Flushes what was written to the disk, as far as that is possible.
  void flush() const { flush_file(path_); }

  /// The valid_bpb of the lines of `last_step`.
  std::optional<double> validation() const { return validation_; }
  /// The training time that the last of the lines kept gives; 0 without one.
  double seconds() const { return seconds_; }

 private:
  std::filesystem::path path_;
  std::string waiting_;
  std::optional<double> validation_;
  double seconds_ = 0;
};

}  // namespace fade
