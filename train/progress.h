// What a person sees while a model trains: one live line on a terminal, a plain line at each log step
// elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace fade {

struct ProgressLine {
  int64_t step = 0, steps = 0;
  double bits = 0;       ///< training loss, bits per byte
  double mean_span = 0;  ///< positions
  double mean_rows = 0;  ///< rows in memory a stream and layer
  double tokens_per_s = 0;
  double seconds_left = 0;
};

class Progress {
 public:
  /// Writes to standard error; the line is live when that is a terminal.
  Progress();
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Shows where training stands. On a terminal it overwrites the line before, at most ten times a second.
  void update(const ProgressLine& line);
  /// The same, at a log step: a line of its own when the output is not a terminal.
  void log(const ProgressLine& line);
  /// A message that stays.
  void note(const std::string& text);

 private:
  void show(const ProgressLine& line);
  void clear_line();

  bool live_, line_shown_ = false;
  std::chrono::steady_clock::time_point shown_at_{};
};

/// "1h02m", "3m20s", "12s".
std::string format_duration(double seconds);

}  // namespace fade
