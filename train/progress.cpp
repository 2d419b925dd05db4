#include "train/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>

namespace fade {
namespace {

std::string format_rate(double per_second) {
  return per_second >= 10'000 ? fmt::format("{:.0f}k tok/s", per_second / 1000)
         : per_second >= 1000 ? fmt::format("{:.1f}k tok/s", per_second / 1000)
                              : fmt::format("{:.0f} tok/s", per_second);
}

}  // namespace

std::string format_duration(double seconds) {
  const auto s = std::llround(seconds);
  if (s >= 3600) return fmt::format("{}h{:02}m", s / 3600, s / 60 % 60);
  return s >= 60 ? fmt::format("{}m{:02}s", s / 60, s % 60) : fmt::format("{}s", s);
}

Progress::Progress() : live_(isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (line_shown_) std::fputc('\n', stderr);
}

void Progress::clear_line() {
  if (line_shown_) std::fputs("\r\x1b[K", stderr);
  line_shown_ = false;
}

void Progress::show(const ProgressLine& p) {
  clear_line();
  fmt::print(stderr, "step {}/{}  {:.3f} bpb  span {:.1f}  rows {:.1f}  {}  {} left", p.step, p.steps, p.bits,
             p.mean_span, p.mean_rows, format_rate(p.tokens_per_s), format_duration(p.seconds_left));
  if (!live_) std::fputc('\n', stderr);
  line_shown_ = live_;
  std::fflush(stderr);
}

void Progress::update(const ProgressLine& line) {
  const auto now = std::chrono::steady_clock::now();
  if (!live_ || now - shown_at_ < std::chrono::milliseconds(100)) return;
  shown_at_ = now;
  show(line);
}

void Progress::log(const ProgressLine& line) { show(line); }

void Progress::note(const std::string& text) {
  clear_line();
  fmt::print(stderr, "{}\n", text);
  std::fflush(stderr);
}

}  // namespace fade
