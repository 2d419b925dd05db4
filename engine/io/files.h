// Paths and descriptors: why a path cannot be used, appending, and changes that survive a power cut.
// engine/io/input.h reads files, engine/io/output.h writes them.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <string_view>
#include <utility>

#include "engine/error.h"

namespace fade {

/// An open file, closed by the destructor.
class Descriptor {
 public:
  /// Takes ownership of an open descriptor; of none, if it is negative.
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  /// As open(2), with the permissions that the umask leaves a new file. ok() is false, and errno set,
  /// when it fails.
  Descriptor(const std::filesystem::path& path, int flags);
  ~Descriptor();
  /// Takes the descriptor of `other`, which has none afterwards.
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  /// Exchanges the descriptors.
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  int get() const { return fd_; }       ///< for system calls; it stays this object's
  bool ok() const { return fd_ >= 0; }  ///< true when there is one

 private:
  int fd_;
};

/// A file that is there and cannot be read: its permissions, its disk. What it holds is not known.
struct Unreadable : InputError {
  using InputError::InputError;
};

/// Throws InputError: the path, the reason that errno gave for not opening it, and a remedy; Unreadable where
/// something is at the path; Error where not the path is the reason but a full disk, say. `if_missing` is the
/// remedy where nothing is.
[[noreturn]] void refuse_path(const std::filesystem::path& path, int reason,
                              std::string_view if_missing = "check its name");

/// True when two statuses are of one file, whatever it is called.
inline bool same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/// False when nothing is at the path. Throws InputError when that cannot be known, or a link
/// leads to nothing.
bool path_exists(const std::filesystem::path& path);

/// Throws Error: the path cannot be written, and the system's reason in errno.
[[noreturn]] void cannot_write(const std::filesystem::path& path);

/// After a read or a write that failed: true when it is to be tried again, because a signal has
/// interrupted it, or, once it has waited for that, because a descriptor that does not block is ready for
/// `events` of poll(2).
bool try_again(int fd, short events);

/// Writes all bytes to a descriptor. False, and errno set, when that failed.
bool write_all(int fd, std::string_view bytes);

/// Appends `bytes` to a file, which is created if it does not exist: all of them, or none when the disk is
/// full. Throws Error with the system's reason.
void append_to_file(const std::filesystem::path& path, std::string_view bytes);

/// Flushes a file to the disk, as far as that is possible.
void flush_file(const std::filesystem::path& path);

/// Removes a file, if it is there. Throws Error with the system's reason.
void remove_file(const std::filesystem::path& path);

/// Renames within a directory, and flushes the directory's entries to the disk, so that the rename survives a
/// power cut. Throws Error with the system's reason.
void rename_durably(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace fade
