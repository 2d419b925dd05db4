#include "train/interrupt.h"

#include <csignal>

namespace fade {
namespace {

volatile std::sig_atomic_t signals = 0;

void note(int signal) {
  if (signals) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
  signals = 1;
}

}  // namespace

InterruptGuard::InterruptGuard() {
  signals = 0;
  std::signal(SIGINT, note);
  std::signal(SIGTERM, note);
}

InterruptGuard::~InterruptGuard() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

bool InterruptGuard::requested() { return signals != 0; }

}  // namespace fade
