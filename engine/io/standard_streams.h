// Standard output, whose errors matter, and standard error, whose errors never do: a terminal may go away,
// the disk of a log may be full.
#pragma once

#include <fmt/format.h>

#include <cerrno>
#include <string_view>

#include "engine/error.h"

namespace fade {

/// To be called before anything is opened. A standard stream that the caller has closed leads to nothing from
/// then on, instead of to the next file that is opened; and a write to a pipe without a reader, or beyond the
/// limit on the size of files, fails instead of ending the process.
void init_standard_streams();

/// Writes to standard error, as far as that is possible: never fails, and waits two seconds at most
/// for a reader.
void write_stderr(std::string_view text) noexcept;

/// Writes a formatted line to standard error, as write_stderr does.
template <class... A>
void print_stderr(fmt::format_string<A...> format, A&&... args) {
  write_stderr(fmt::format(format, std::forward<A>(args)...) + '\n');
}

/// True when standard error is a terminal that understands escape sequences, as $TERM says.
bool stderr_can_erase();

/// True when standard input or output is a terminal.
bool stdin_is_terminal();
bool stdout_is_terminal();

/// True when standard output and standard error are the same file, pipe or terminal.
bool standard_streams_meet();

/// Standard output is a pipe whose reader has ended, as `head` does: it wants no more, and no message.
struct ReaderGone : Error {
  using Error::Error;
};

/// Writes to standard output at once. Throws ReaderGone, or Error with the system's reason.
void write_stdout(std::string_view text);

/// Flushes standard output. Throws ReaderGone, or Error with the system's reason, when that fails or an
/// earlier write has failed; `reason` is that of the earlier write, if it is known.
void flush_stdout(int reason = EIO);

}  // namespace fade
