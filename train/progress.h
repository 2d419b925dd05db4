// Progress on standard error: one live line on a terminal, a plain line per log step elsewhere.
// It never fails.
#pragma once

#include <chrono>
#include <string>

namespace fade {

class Progress {
 public:
  /// The line is live when standard error is a terminal that can erase it (not with TERM=dumb).
  Progress();
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Overwrites the live line, at most ten times per second. Without a terminal, does nothing.
  void update(const std::string& line);
  /// The same at a log step: always, and as a line of its own when the output is not a terminal.
  void log(const std::string& line);
  /// A message that stays.
  void note(const std::string& text);
  /// Removes the live line.
  void clear();

 private:
  bool live_, line_shown_ = false;
  std::chrono::steady_clock::time_point shown_at_{};
};

/// Seconds from `start` to now.
double seconds_since(std::chrono::steady_clock::time_point start);

/// "1h02m", "3m20s", "12s".
std::string format_duration(double seconds);

}  // namespace fade
