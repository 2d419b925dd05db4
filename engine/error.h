// Errors: one clear line that names the thing, the value found and the remedy.
#pragma once

#include <fmt/format.h>

#include <stdexcept>

namespace fade {

/// The work failed (the command line ends with exit code 1).
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// An input of the caller was wrong: a file, a key, a shape from outside (exit code 2).
struct InputError : Error {
  using Error::Error;
};

/// Throws Error with a formatted message, `thing: what was found (remedy)`.
template <class... A>
[[noreturn]] void fail(fmt::format_string<A...> format, A&&... args) {
  throw Error(fmt::format(format, std::forward<A>(args)...));
}

/// Throws InputError with a formatted message, `thing: what was found (remedy)`.
template <class... A>
[[noreturn]] void refuse(fmt::format_string<A...> format, A&&... args) {
  throw InputError(fmt::format(format, std::forward<A>(args)...));
}

}  // namespace fade
