// Progress on standard error: one live line on a terminal, a plain line per log step elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace fade {

struct ProgressLine {
  int64_t step = 0, steps = 0;
  double bits = 0;       ///< training loss, bits per byte
  double mean_span = 0;  ///< positions
  double mean_rows = 0;  ///< rows in memory per stream and layer
  double tokens_per_s = 0;
  double seconds_left = 0;
};

class Progress {
 public:
  /// The line is live when standard error is a terminal.
  Progress();
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Overwrites the live line, at most ten times per second. Without a terminal, does nothing.
  void update(const ProgressLine& line);
  /// The same at a log step: always, and as a line of its own when the output is not a terminal.
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
