#include "engine/io/files.h"

#include <fcntl.h>
#include <sys/mman.h>
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

// The status of an open file that is to be read.
struct stat status_of(const fs::path& path, const Descriptor& file) {
  struct stat status {};
  if (!file.ok() || ::fstat(file.get(), &status) != 0) cannot_read(path, errno);
  if (S_ISDIR(status.st_mode)) refuse("{}: a directory, where a file was expected", path.string());
  return status;
}

}  // namespace

Descriptor::Descriptor(const fs::path& path, int flags)
    : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {}

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

NewFile::NewFile(const fs::path& path)
    : path_(path), temporary_(path.string() + ".tmp"), file_(temporary_, O_WRONLY | O_CREAT | O_TRUNC) {
  if (!file_.ok()) cannot_write(path_);
}

NewFile::~NewFile() {
  if (!committed_) ::unlink(temporary_.c_str());  // a partial file must not occupy a full disk
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
  rename_durably(temporary_, path_);
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

void flush_file(const fs::path& path) {
  if (const Descriptor file(path, O_RDONLY); file.ok()) ::fsync(file.get());
}

void rename_durably(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) cannot_write(to);
  const fs::path directory = to.parent_path();
  const Descriptor d(directory.empty() ? "." : directory, O_RDONLY | O_DIRECTORY);
  if (!d.ok() || ::fsync(d.get()) != 0) cannot_write(directory);
}

FileReader::FileReader(const fs::path& path)
    : path_(path), file_(path, O_RDONLY), size_(static_cast<size_t>(status_of(path, file_).st_size)) {}

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

MappedFile::MappedFile(const fs::path& path) {
  const Descriptor file(path, O_RDONLY | O_NONBLOCK);  // or opening a pipe would wait for its writer
  const struct stat status = status_of(path, file);
  if (!S_ISREG(status.st_mode))
    refuse("{}: not a regular file, so it cannot be mapped (copy it to one)", path.string());
  if (status.st_size == 0) refuse("{}: empty", path.string());
  const auto size = static_cast<size_t>(status.st_size);
  void* const memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (memory == MAP_FAILED) fail("{}: cannot be mapped into memory: {}", path.string(), std::strerror(errno));
  memory_ = {static_cast<uint8_t*>(memory), Unmap{size}};
}

void MappedFile::Unmap::operator()(void* memory) const { ::munmap(memory, size); }

}  // namespace fade
