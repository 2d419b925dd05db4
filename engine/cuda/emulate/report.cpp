#include "engine/cuda/emulate/report.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <string_view>

#include "engine/cuda/emulate/thread.h"
#include "engine/error.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif

namespace fade::emulate {
namespace {

using Text = std::array<char, 256>;

// Allocates nothing: it is also called while the process crashes.
Text here_text() {
  Text text{};
  if (here.kernel)
    std::snprintf(text.data(), text.size(), "kernel %s, thread block (%u,%u,%u), thread (%u,%u,%u)",
                  here.kernel, here.block.x, here.block.y, here.block.z, here.thread.x, here.thread.y,
                  here.thread.z);
  return text;
}

template <class... A>
void print(const char* format, A... args) {
  Text line{};
  const auto wanted = static_cast<size_t>(std::snprintf(line.data(), line.size(), format, args...));
  const size_t length = std::min(wanted, line.size() - 1);
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), length);
}

void print_where() {
  const Text text = here_text();
  if (text[0]) print("\nfade: stopped in %s\n", text.data());
}

// Prints where, then lets the signal take its usual effect.
void on_signal(int number, siginfo_t* info, void*) {
  if (number == SIGSEGV && info->si_code == SEGV_PKUERR)  // of the protection key: memory.cpp
    print("\nfade: host code touched memory of device cuda at %p (copy the tensor with .to(Device::cpu))\n",
          info->si_addr);
  print_where();
  ::signal(number, SIG_DFL);
  ::raise(number);
}

void install() {
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_set_death_callback(print_where);  // AddressSanitizer handles crashes too
  const auto signals = {SIGABRT};
#else
  const auto signals = {SIGSEGV, SIGBUS, SIGFPE, SIGABRT};
#endif
  for (const int number : signals) {
    struct sigaction action {};
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    ::sigaction(number, &action, nullptr);
  }
}

}  // namespace

std::string where() { return here_text().data(); }

void report_crashes() { [[maybe_unused]] static const bool once = (install(), true); }

void report_crashes_of_this_thread() {
#ifndef __SANITIZE_ADDRESS__  // AddressSanitizer gives each thread such a stack
  static thread_local std::byte memory[64 * 1024];
  stack_t stack{};
  stack.ss_sp = memory;
  stack.ss_size = sizeof memory;
  ::sigaltstack(&stack, nullptr);
#endif
}

bool reverse_order() {
  static const bool reverse = [] {
    const char* set = std::getenv("FADE_EMULATE_ORDER");
    const std::string_view name = set ? set : "forward";
    if (name != "forward" && name != "reverse")
      refuse("FADE_EMULATE_ORDER: found {}, allowed: forward, reverse", name);
    return name == "reverse";
  }();
  return reverse;
}

}  // namespace fade::emulate

#ifdef __SANITIZE_ADDRESS__
// UndefinedBehaviorSanitizer has no callback; it is made to abort, and the signal is caught.
extern "C" const char* __ubsan_default_options() {  // NOLINT(bugprone-reserved-identifier): its name
  return "abort_on_error=1:print_stacktrace=1";
}
#endif
