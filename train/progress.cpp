#include "train/progress.h"

#include <fmt/format.h>

#include <cmath>

#include "engine/io/standard_streams.h"

namespace fade {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::string format_duration(double seconds) {
  const auto s = std::llround(seconds);
  if (s >= 3600) return fmt::format("{}h{:02}m", s / 3600, s / 60 % 60);
  return s >= 60 ? fmt::format("{}m{:02}s", s / 60, s % 60) : fmt::format("{}s", s);
}

Progress::Progress() : live_(stderr_can_erase()) {}

Progress::~Progress() {
  if (line_shown_) write_stderr("\n");
}

void Progress::update(const std::string& line) {
  const auto now = std::chrono::steady_clock::now();
  if (!live_ || now - shown_at_ < std::chrono::milliseconds(100)) return;
  shown_at_ = now;
  log(line);
}

void Progress::log(const std::string& line) {
  clear();
  write_stderr(line + (live_ ? "" : "\n"));
  line_shown_ = live_;
}

void Progress::note(const std::string& text) {
  clear();
  print_stderr("{}", text);
}

void Progress::clear() {
  if (line_shown_) write_stderr("\r\x1b[K");
  line_shown_ = false;
}

}  // namespace fade
