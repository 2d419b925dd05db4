#include "engine/io/standard_streams.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "engine/error.h"
#include "engine/io/files.h"

namespace fade {

void init_standard_streams() {
  // Of the wrong direction, so that using them is still an error. open(2) takes the lowest free descriptor.
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(stream, F_GETFD) < 0) ::open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

void write_stderr(std::string_view text) noexcept {
  constexpr int kPatience = 2000;  // in milliseconds
  static bool stalled = false;     // then nothing waits until the reader reads again
  while (!text.empty()) {
    pollfd stream{STDERR_FILENO, POLLOUT, 0};
    const int ready = ::poll(&stream, 1, stalled ? 0 : kPatience);
    if (ready < 0 && errno == EINTR) continue;
    stalled = ready == 0;
    if (ready <= 0) return;
    const ssize_t n = ::write(STDERR_FILENO, text.data(), text.size());
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) return;
    text.remove_prefix(static_cast<size_t>(n));
  }
}

bool stderr_can_erase() {
  const char* const terminal = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) == 1 && terminal != nullptr && *terminal != '\0' &&
         std::strcmp(terminal, "dumb") != 0;
}

bool stdin_is_terminal() { return ::isatty(STDIN_FILENO) == 1; }
bool stdout_is_terminal() { return ::isatty(STDOUT_FILENO) == 1; }

bool standard_streams_meet() {
  struct stat out {
  }, error{};
  return ::fstat(STDOUT_FILENO, &out) == 0 && ::fstat(STDERR_FILENO, &error) == 0 && same_file(out, error);
}

void write_stdout(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  flush_stdout();
}

void flush_stdout(int reason) {
  errno = reason;
  if (std::fflush(stdout) == 0 && !std::ferror(stdout)) return;
  if (errno == EPIPE) throw ReaderGone("standard output: its reader has ended");
  fail("standard output: cannot be written: {} (results are lost: check where it leads)",
       std::strerror(errno));
}

}  // namespace fade
