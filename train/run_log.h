// The log of a run: lines on the console (train/progress.h) and in metrics.jsonl (train/metrics.h).
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "train/config/config.h"
#include "train/metrics.h"
#include "train/progress.h"
#include "train/report.h"
#include "train/trainer.h"

namespace fade {

class RunLog {
 public:
  /// Opens RUN/metrics.jsonl. Lines of steps after `step`, from which training continues, are dropped. Throws
  /// Error when it cannot be written.
  RunLog(const Config& config, double minutes, const std::filesystem::path& run, int64_t step);

  /// A message that stays on the console.
  void note(const std::string& text) { progress_.note(text); }

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
  std::optional<double> validation_before() const { return metrics_.validation(); }

  /// Flushes the metrics to the disk, as far as that is possible.
  void flush() const { metrics_.flush(); }

 private:
  void write(const nlohmann::ordered_json& line);

  TrainConfig config_;
  int block_;
  double minutes_;
  Progress progress_;
  Metrics metrics_;
  bool metrics_wait_ = false;  ///< lines wait in memory for a file that can be written
  double seconds_;
  std::vector<double> step_seconds_;  ///< since the last line in the metrics
};

}  // namespace fade
