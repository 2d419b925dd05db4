// Ctrl-C: the first one asks the run to end after the step it is in; a second one ends the process at once.
#pragma once

namespace fade {

/// While in scope, SIGINT and SIGTERM are noted instead of ending the process.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  static bool requested();
};

}  // namespace fade
