#include "engine/io/files.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "engine/error.h"

namespace fade {
namespace fs = std::filesystem;

Descriptor::Descriptor(const fs::path& path, int flags)
    : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {}

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

void refuse_path(const fs::path& path, int reason, std::string_view if_missing) {
  if (path.empty()) refuse("a file without a name (give its path)");
  const std::string name = path.string();
  std::error_code ignored;
  switch (reason) {
    case ENOENT:
      if (const fs::path target = fs::read_symlink(path, ignored); !target.empty())
        refuse("{}: a symbolic link to {}, which does not exist (remove or mend the link)", name,
               target.string());
      refuse("{}: no such file ({})", name, if_missing);
    case ENOTDIR:
      refuse("{}: no such file: a part of its path is not a directory ({})", name, if_missing);
    case EISDIR:
      refuse("{}: a directory, where a file was expected (name a file)", name);
    case EACCES:
    case EPERM:
      throw Unreadable(fmt::format(
          "{}: permission denied (change the permissions of the file or of its directories)", name));
    case ELOOP:
      throw Unreadable(fmt::format(
          "{}: too many levels of symbolic links (a link leads back to itself: remove it)", name));
    case ENOSPC:
    case EDQUOT:
    case EIO:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      fail("{}: cannot be opened: {} (check the disk and the limits of the system)", name,
           std::strerror(reason));
    default:
      throw Unreadable(fmt::format("{}: cannot be used: {} (check the path)", name, std::strerror(reason)));
  }
}

bool path_exists(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) return true;
  const int reason = errno;
  const bool nothing = reason == ENOENT || reason == ENOTDIR;
  if (!nothing || ::lstat(path.c_str(), &status) == 0) refuse_path(path, reason);
  return false;
}

void cannot_write(const fs::path& path) {
  const int reason = errno;
  fail("{}: cannot be written: {} (check the disk's space and permissions)", path.string(),
       std::strerror(reason));
}

bool try_again(int fd, short events) {
  if (errno != EAGAIN) return errno == EINTR;
  pollfd descriptor{fd, events, 0};
  return ::poll(&descriptor, 1, -1) >= 0 || errno == EINTR;
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && try_again(fd, POLLOUT)) continue;
    if (n < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

void append_to_file(const fs::path& path, std::string_view bytes) {
  const Descriptor file(path, O_WRONLY | O_APPEND | O_CREAT);
  struct stat before {};
  if (!file.ok() || ::fstat(file.get(), &before) != 0) cannot_write(path);
  if (write_all(file.get(), bytes)) return;
  const int reason = std::exchange(errno, 0);
  const bool undone = ::ftruncate(file.get(), before.st_size) == 0;
  errno = undone ? reason : errno;
  cannot_write(path);
}

void flush_file(const fs::path& path) {
  if (const Descriptor file(path, O_RDONLY); file.ok()) ::fsync(file.get());
}

void remove_file(const fs::path& path) {
  std::error_code error;
  fs::remove(path, error);
  if (error) fail("{}: cannot be removed: {}", path.string(), error.message());
}

void rename_durably(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) cannot_write(to);
  const fs::path directory = to.parent_path();
  const Descriptor d(directory.empty() ? "." : directory, O_RDONLY | O_DIRECTORY);
  if (!d.ok() || ::fsync(d.get()) != 0) cannot_write(directory);
}

}  // namespace fade
