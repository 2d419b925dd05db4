// Signals of a training run: the first Ctrl-C asks it to end after the step it is in, a second one ends the
// process at once.
#pragma once

#include <array>
#include <csignal>

namespace fade {

/// Thrown by InterruptGuard::check.
struct Interrupted {};

/// While in scope, SIGINT, SIGTERM and SIGHUP (unless it is ignored, as under nohup) are noted instead of
/// ending the process; and what a write meets, a pipe that nobody reads or a limit on the size of files, is
/// an error of that write instead of the process's end. Within another guard's scope, the outer one does all
/// this, and what was noted stays noted to its end.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  static bool requested();
  /// Throws Interrupted when one was noted: for work that can be broken off.
  static void check();

 private:
  static constexpr std::array kSignals{SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ};
  std::array<struct sigaction, kSignals.size()> before_;
};

}  // namespace fade
