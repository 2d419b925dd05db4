#include "engine/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engine/error.h"

namespace fade {
namespace {

class Descriptor {
 public:
  Descriptor(const std::filesystem::path& path, int flags)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }

 private:
  int fd_;
};

[[noreturn]] void cannot_write(const std::filesystem::path& path) {
  const int reason = errno;
  fail("{}: cannot be written: {} (check the disk's space and permissions)", path.string(),
       std::strerror(reason));
}

[[noreturn]] void cannot_read(const std::filesystem::path& path, int reason) {
  refuse("{}: cannot be read: {}", path.string(), std::strerror(reason));
}

}  // namespace

void write_file_atomically(const std::filesystem::path& path, std::string_view bytes) {
  std::filesystem::path beside = path;
  beside += ".tmp";
  {
    const Descriptor file(beside, O_WRONLY | O_CREAT | O_TRUNC);
    if (!file.ok()) cannot_write(path);
    for (size_t done = 0; done < bytes.size();) {
      const ssize_t n = ::write(file.get(), bytes.data() + done, bytes.size() - done);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) cannot_write(path);
      done += static_cast<size_t>(n);
    }
    if (::fsync(file.get()) != 0) cannot_write(path);
  }
  if (::rename(beside.c_str(), path.c_str()) != 0) cannot_write(path);
  flush_directory(path.parent_path());
}

void flush_directory(const std::filesystem::path& directory) {
  const Descriptor d(directory.empty() ? "." : directory, O_RDONLY | O_DIRECTORY);
  if (!d.ok() || ::fsync(d.get()) != 0) cannot_write(directory);
}

std::string read_file(const std::filesystem::path& path) {
  const Descriptor file(path, O_RDONLY);
  struct stat info {};
  if (!file.ok() || ::fstat(file.get(), &info) != 0) cannot_read(path, errno);
  if (S_ISDIR(info.st_mode)) cannot_read(path, EISDIR);
  std::string bytes(static_cast<size_t>(info.st_size), '\0');
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::read(file.get(), bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) cannot_read(path, errno);
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  bytes.resize(done);
  return bytes;
}

}  // namespace fade
