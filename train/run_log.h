// The log of a run: lines on the console (train/progress.h), and metrics.jsonl, one JSON object per line, for
// plots and scripts.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/error.h"
#include "engine/io/files.h"
#include "engine/io/utf8.h"
#include "train/progress.h"
#include "train/report.h"
#include "train/trainer.h"

namespace fade {

/// A line of metrics.jsonl.
struct MetricsLine {
  std::string text;  ///< without its end
  nlohmann::ordered_json values;
};

/// The lines of RUN/metrics.jsonl, in order; none when there is no such file. Lines that are not JSON objects
/// with an integer `step`, such as one that was cut off, are left out.
std::vector<MetricsLine> read_metrics(const std::filesystem::path& run);

class RunLog {
 public:
  /// Opens RUN/metrics.jsonl. Lines of steps after `step`, from which training continues, are dropped: a
  /// resumed run writes them again. Throws Error when it cannot be written.
  RunLog(double minutes, const std::filesystem::path& run, int64_t step);

  /// A formatted message, of one line, that stays on the console.
  template <class... A>
  void note(fmt::format_string<A...> format, A&&... args) {
    progress_.note(printable(fmt::format(format, std::forward<A>(args)...)));
  }

  /// Counts the time of a step.
  void add_seconds(double seconds);
  /// Training time so far, that of earlier processes of the run included.
  double seconds() const { return seconds_; }

  /// The step just done. Writes a line to the console and one to the metrics every train.log_every steps, and
  /// when it is the `last`.
  void step(const Trainer& trainer, const Trainer::Step& figures, bool last);

  /// A line in the metrics for a validation after `step`.
  void validation(int64_t step, const Report& report);
  /// The validation that the metrics hold for the step from which training continues.
  std::optional<double> validation_before() const { return validation_before_; }

  /// Flushes the metrics to the disk, as far as that is possible.
  void flush() const { flush_file(metrics_); }

 private:
  /// Appends a line to the metrics. When they cannot be written, says so, and the line waits in memory (as do
  /// up to 16 MiB of lines) and is written with the next one.
  void write(const nlohmann::ordered_json& line);

  double minutes_;  ///< of training; 0: no limit
  Progress progress_;
  std::filesystem::path metrics_;
  std::string waiting_;  ///< lines for a file that cannot be written
  std::optional<double> validation_before_;
  double seconds_ = 0;
  std::vector<double> step_seconds_;  ///< since the last line in the metrics
};

}  // namespace fade
