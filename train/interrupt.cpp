#include "train/interrupt.h"

namespace fade {
namespace {

volatile std::sig_atomic_t signals = 0;
int guards = 0;
EndingSignalActions before;  ///< what the outermost guard found

void record(int signal) {
  if (signals) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
  signals = 1;
}

}  // namespace

InterruptGuard::InterruptGuard() {
  if (guards++) return;
  signals = 0;
  for (size_t i = 0; i < kEndingSignals.size(); ++i) {
    const int signal = kEndingSignals[i];
    ::sigaction(signal, nullptr, &before[i]);
    if (signal == SIGHUP && before[i].sa_handler == SIG_IGN) continue;
    struct sigaction action {};
    action.sa_flags = SA_RESTART;
    action.sa_handler = record;
    ::sigaction(signal, &action, nullptr);
  }
}

InterruptGuard::~InterruptGuard() {
  if (--guards) return;
  for (size_t i = 0; i < kEndingSignals.size(); ++i) ::sigaction(kEndingSignals[i], &before[i], nullptr);
}

bool InterruptGuard::requested() { return signals != 0; }

SignalsIgnored::SignalsIgnored() {
  for (size_t i = 0; i < kEndingSignals.size(); ++i) {
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(kEndingSignals[i], &ignore, &before_[i]);
  }
}

SignalsIgnored::~SignalsIgnored() {
  for (size_t i = 0; i < kEndingSignals.size(); ++i) ::sigaction(kEndingSignals[i], &before_[i], nullptr);
}

}  // namespace fade
