#include "engine/emulate/report.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "engine/emulate/block.h"
#include "engine/error.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif

namespace fade::emulate {
namespace {

using Text = std::array<char, 256>;

// (allocates nothing: also called when the process is dying)
Text here_text() {
  Text text{};
  if (const Worker* w = Worker::running())
    std::snprintf(text.data(), text.size(), "kernel %s, block (%u,%u,%u), thread (%u,%u,%u)", w->kernel(),
                  here.block.x, here.block.y, here.block.z, here.thread.x, here.thread.y, here.thread.z);
  return text;
}

void print_where() {
  const Text text = here_text();
  if (!text[0]) return;
  Text line{};
  const int n = std::snprintf(line.data(), line.size(), "\nfade: stopped in %s\n", text.data());
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), static_cast<size_t>(n));
}

// Says where, then lets the signal do what it does.
[[maybe_unused]] void on_signal(int number) {
  print_where();
  ::signal(number, SIG_DFL);
  ::raise(number);
}

void install() {
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_set_death_callback(print_where);
#else
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGABRT}) {
    struct sigaction action {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_ONSTACK | SA_NODEFER;
    ::sigaction(number, &action, nullptr);
  }
#endif
}

}  // namespace

std::string where() { return here_text().data(); }

void report_crashes() { [[maybe_unused]] static const bool once = (install(), true); }

Order thread_order() {
  static const Order order = [] {
    const char* set = std::getenv("FADE_EMULATE_ORDER");
    const std::string_view name = set ? set : "forward";
    if (name != "forward" && name != "reverse")
      refuse("FADE_EMULATE_ORDER: found {}, allowed: forward, reverse", name);
    return name == "reverse" ? Order::reverse : Order::forward;
  }();
  return order;
}

}  // namespace fade::emulate
