#include "engine/io/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "engine/error.h"

namespace fade {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void cannot_write(const fs::path& path) {
  const int reason = errno;
  fail("{}: cannot be written: {} (check the disk's space and permissions)", path.string(),
       std::strerror(reason));
}

[[noreturn]] void cannot_read(const fs::path& path, int reason) {
  refuse("{}: cannot be read: {}", path.string(), std::strerror(reason));
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

fs::path beside(fs::path path) { return path += ".tmp"; }

}  // namespace

Descriptor::Descriptor(const fs::path& path, int flags)
    : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {}

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

NewFile::NewFile(const fs::path& path)
    : path_(path), beside_(beside(path)), file_(beside_, O_WRONLY | O_CREAT | O_TRUNC) {
  if (!file_.ok()) cannot_write(path_);
}

NewFile::~NewFile() {
  if (!committed_) ::unlink(beside_.c_str());  // a half-written file must not hold on to a full disk's space
}

void NewFile::append(std::string_view bytes) {
  if (!write_all(file_.get(), bytes)) cannot_write(path_);
}

void NewFile::overwrite(size_t offset, std::string_view bytes) {
  const ssize_t n = ::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
  if (n != static_cast<ssize_t>(bytes.size())) cannot_write(path_);
}

void NewFile::commit() {
  if (::fsync(file_.get()) != 0) cannot_write(path_);
  rename_durably(beside_, path_);
  committed_ = true;
}

void write_file_atomically(const fs::path& path, std::string_view bytes) {
  NewFile file(path);
  file.append(bytes);
  file.commit();
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

bool flush_file(const fs::path& path) {
  const Descriptor file(path, O_RDONLY);
  return file.ok() && ::fsync(file.get()) == 0;
}

void flush_directory(const fs::path& directory) {
  const Descriptor d(directory.empty() ? "." : directory, O_RDONLY | O_DIRECTORY);
  if (!d.ok() || ::fsync(d.get()) != 0) cannot_write(directory);
}

void rename_durably(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) cannot_write(to);
  flush_directory(to.parent_path());
}

FileReader::FileReader(const fs::path& path) : path_(path), file_(path, O_RDONLY) {
  struct stat info {};
  if (!file_.ok() || ::fstat(file_.get(), &info) != 0) cannot_read(path, errno);
  if (S_ISDIR(info.st_mode)) cannot_read(path, EISDIR);
  size_ = static_cast<size_t>(info.st_size);
}

size_t FileReader::read(void* bytes, size_t count) {
  size_t done = 0;
  while (done < count) {
    const ssize_t n = ::read(file_.get(), static_cast<char*>(bytes) + done, count - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) cannot_read(path_, errno);
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  return done;
}

std::string read_file(const fs::path& path) {
  FileReader file(path);
  std::string bytes(file.size(), '\0');
  bytes.resize(file.read(bytes.data(), bytes.size()));
  return bytes;
}

}  // namespace fade
