#include "engine/io/input.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <new>
#include <stdexcept>

#include "engine/error.h"

namespace fade {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void cannot_read(const std::string& name, int reason) {
  throw Unreadable(fmt::format("{}: cannot be read: {} (check the disk, or where it comes from)", name,
                               std::strerror(reason)));
}

[[noreturn]] void too_large(const std::string& name, size_t bytes) {
  fail("{}: its {} bytes do not fit into memory (use a smaller file, or split it)", name, bytes);
}

// The result of pread(2), or of read(2) where there is no offset, once it need not be tried again.
ssize_t read_some(int fd, void* bytes, size_t count, const off_t* offset) {
  ssize_t n = 0;
  do n = offset ? ::pread(fd, bytes, count, *offset) : ::read(fd, bytes, count);
  while (n < 0 && try_again(fd, POLLIN));
  return n;
}

}  // namespace

Input::Input(const fs::path& path, const Options& options)
    : name_(path == "-" ? "standard input" : path.string()),
      file_(path == "-" ? Descriptor(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0))
                        : Descriptor(path, O_RDONLY)) {
  struct stat status {};
  if (!file_.ok() || ::fstat(file_.get(), &status) != 0) refuse_path(name_, errno, options.if_missing);
  if (S_ISDIR(status.st_mode)) refuse_path(name_, EISDIR);
  // Of standard input a part may have been read. The files in /proc have a size of 0, and content.
  in_memory_ = path == "-" || !S_ISREG(status.st_mode) || status.st_size == 0;
  if (in_memory_)
    read_to_end(options.most_in_memory);
  else
    size_ = static_cast<size_t>(status.st_size);
  if (path == "-") {
    static std::atomic<bool> read_before = false;
    if (read_before.exchange(true) && size_ == 0)
      refuse("{}: has been read to its end already (give a file for one of the two)", name_);
  }
}

void Input::read_to_end(size_t most) {
  constexpr size_t kFirstPiece = 1 << 16;
  size_t have = 0;
  for (ssize_t n = 1; n != 0; have += static_cast<size_t>(n)) {
    if (have > most)
      refuse("{}: more than the {} bytes that are read from anything but a regular file (copy it to one)",
             name_, most);
    if (have == memory_.size()) try {
        memory_.resize(std::min(std::max(kFirstPiece, 2 * have), most + 1));
      } catch (const std::bad_alloc&) {
        too_large(name_, have);
      }
    n = read_some(file_.get(), memory_.data() + have, memory_.size() - have, nullptr);
    if (n < 0) cannot_read(name_, errno);
  }
  memory_.resize(have);
  size_ = have;
}

size_t Input::read(void* bytes, size_t count) {
  count = std::min(count, size_ - position_);
  read_at(position_, bytes, count);
  position_ += count;
  return count;
}

void Input::read_at(size_t offset, void* bytes, size_t count) const {
  if (offset > size_ || count > size_ - offset)
    fail("{}: {} bytes at offset {} are asked for, it has {}", name_, count, offset, size_);
  if (in_memory_) {
    if (count) std::memcpy(bytes, memory_.data() + offset, count);
    return;
  }
  for (size_t done = 0; done < count;) {
    const auto at = static_cast<off_t>(offset + done);
    const ssize_t n = read_some(file_.get(), static_cast<char*>(bytes) + done, count - done, &at);
    if (n < 0) cannot_read(name_, errno);
    if (n == 0) {
      struct stat now {};
      ::fstat(file_.get(), &now);
      refuse("{}: cut short while it was read: it had {} bytes, it has {} now (put the whole file back)",
             name_, size_, now.st_size);
    }
    done += static_cast<size_t>(n);
  }
}

std::string Input::read_all() {
  std::string bytes;
  try {
    bytes.resize(size_ - position_);
  } catch (const std::bad_alloc&) {
    too_large(name_, size_);
  } catch (const std::length_error&) {
    too_large(name_, size_);
  }
  read(bytes.data(), bytes.size());
  return bytes;
}

std::string read_file(const fs::path& path) { return Input(path).read_all(); }

}  // namespace fade
