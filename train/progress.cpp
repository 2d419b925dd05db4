#include "train/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>

namespace fade {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::string format_duration(double seconds) {
  const auto s = std::llround(seconds);
  if (s >= 3600) return fmt::format("{}h{:02}m", s / 3600, s / 60 % 60);
  return s >= 60 ? fmt::format("{}m{:02}s", s / 60, s % 60) : fmt::format("{}s", s);
}

Progress::Progress() : live_(isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (line_shown_) std::fputc('\n', stderr);
}

void Progress::update(const std::string& line) {
  const auto now = std::chrono::steady_clock::now();
  if (!live_ || now - shown_at_ < std::chrono::milliseconds(100)) return;
  shown_at_ = now;
  log(line);
}

void Progress::log(const std::string& line) {
  clear();
  fmt::print(stderr, "{}{}", line, live_ ? "" : "\n");
  line_shown_ = live_;
  std::fflush(stderr);
}

void Progress::note(const std::string& text) {
  clear();
  fmt::print(stderr, "{}\n", text);
  std::fflush(stderr);
}

void Progress::clear() {
  if (line_shown_) std::fputs("\r\x1b[K", stderr);
  line_shown_ = false;
}

}  // namespace fade
