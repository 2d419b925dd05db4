// Signals that a user ends a process with, kept waiting.
#pragma once

#include <csignal>

namespace fade {

/// While one is in scope, SIGINT, SIGTERM and SIGHUP do not reach the calling thread, nor threads that it
/// starts; afterwards they do, if none of the threads has taken them.
class HeldSignals {
 public:
  HeldSignals() {
    sigset_t ending;
    ::sigemptyset(&ending);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&ending, signal);
    ::pthread_sigmask(SIG_BLOCK, &ending, &before_);
  }
  ~HeldSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;

 private:
  sigset_t before_;
};

}  // namespace fade
