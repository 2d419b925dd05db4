// Signals during a training run: the first Ctrl-C asks it to end after the current step, a second
// one ends the process at once.
#pragma once

#include "engine/held_signals.h"

namespace fade {

/// What each of kEndingSignals does.
using EndingSignalActions = std::array<struct sigaction, kEndingSignals.size()>;

/// Thrown by what a signal has ended.
struct Interrupted {};

/// While one is in scope, kEndingSignals (SIGHUP unless ignored, as under nohup) are recorded instead of ending the
/// process. Guards nest: only the outermost acts, and a recorded signal is kept until its end.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  /// True when a signal was recorded.
  static bool requested();
};

/// While one is in scope, those signals are ignored: another process gets them, too, and decides.
class SignalsIgnored {
 public:
  SignalsIgnored();
  ~SignalsIgnored();
  SignalsIgnored(const SignalsIgnored&) = delete;
  SignalsIgnored& operator=(const SignalsIgnored&) = delete;

 private:
  EndingSignalActions before_;
};

}  // namespace fade
