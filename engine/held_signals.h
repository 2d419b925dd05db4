// Signals that a user ends a process with, kept waiting.
#pragma once

#include <array>
#include <csignal>

namespace fade {

/// Those signals. SIGUSR1 is the one that mpirun passes on to the ranks at once.
inline constexpr std::array kEndingSignals{SIGINT, SIGTERM, SIGHUP, SIGUSR1};

/// While one is in scope, kEndingSignals do not reach the calling thread, nor threads that it starts; afterwards they do,
/// if none of the threads has taken them.
class HeldSignals {
 public:
  HeldSignals() {
    sigset_t ending;
    ::sigemptyset(&ending);
    for (const int signal : kEndingSignals) ::sigaddset(&ending, signal);
    ::pthread_sigmask(SIG_BLOCK, &ending, &before_);
  }
  ~HeldSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;

 private:
  sigset_t before_;
};

}  // namespace fade
