// The log of a run: lines on the console (train/progress.h); metrics.jsonl, one JSON object per line, for plots and
// scripts; and, where they are wanted, the same numbers for TensorBoard (train/tensorboard.h).
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/error.h"
#include "engine/io/utf8.h"
#include "train/log_file.h"
#include "train/progress.h"
#include "train/report.h"
#include "train/trainer.h"
#include "train/training_time.h"

namespace fade {

/// A line of metrics.jsonl.
struct MetricsLine {
  std::string text;  ///< without its end
  nlohmann::ordered_json values;
};

/// The lines of RUN/metrics.jsonl, in order; none when there is no such file. Lines that are not JSON objects
/// with a whole number `step`, such as one that was cut off, are left out.
std::vector<MetricsLine> read_metrics(const std::filesystem::path& run);

class RunLog {
 public:
  /// Opens RUN/metrics.jsonl. Lines of steps after `step`, from which training continues, are dropped: a
  /// resumed run writes them again. `events`: a new file of events for TensorBoard, too. Throws Error when the
  /// metrics cannot be written.
  RunLog(const std::filesystem::path& run, int64_t step, bool events);

  /// A formatted message, of one line, that stays on the console.
  template <class... A>
  void note(fmt::format_string<A...> format, A&&... args) {
    progress_.note(printable(fmt::format(format, std::forward<A>(args)...)));
  }

  /// Counts the time of a step.
  void add(const TrainingTime& time);
  /// Training time so far, that of earlier processes of the run included.
  const TrainingTime& time() const { return time_; }

  /// A line in the metrics: after `step`, the number of steps was chosen, by the speed, for so many minutes.
  void chosen(int64_t step, int64_t steps, double minutes);

  /// The step just done, whose time was counted. Writes a line to the console and one to the metrics every
  /// train.log_every steps, and when it is the `last`; in them, losses are means over the steps since the line
  /// before (since `step`, for the first line of a resumed run). `seconds_left` are shown while train.steps is 0.
  void step(const Trainer& trainer, const Trainer::Step& figures, bool last, double seconds_left);

  /// A line in the metrics with the training time up to `step`, for a run that is resumed there; none where
  /// the line of the step has it.
  void keep_time(int64_t step);

  /// A line in the metrics for a validation after `step`.
  void validation(int64_t step, const Report& report);
  /// The validation that the metrics hold for the step from which training continues.
  std::optional<double> validation_before() const { return validation_before_; }

  /// Flushes the metrics to the disk, as far as that is possible.
  void flush() const;

 private:
  /// Appends a line to the metrics, and its numbers to the events.
  void write(const nlohmann::ordered_json& line);
  void append(LogFile& file, std::string record);

  Progress progress_;
  LogFile metrics_;
  std::optional<LogFile> events_;
  std::optional<double> validation_before_;
  TrainingTime time_;
  // Of the steps since the last line in the metrics.
  std::vector<double> step_seconds_;
  double bits_ = 0, aux_ = 0;  ///< sums
};

}  // namespace fade
