#include "engine/io/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "engine/error.h"

namespace fade {

namespace {

/// A file descriptor, closed with the object.
struct Descriptor {
  int number;
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
};

}  // namespace

MappedFile::MappedFile(const std::string& path) {
  // Not blocking, or opening a pipe would wait for its writer before it can be refused.
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.number < 0) refuse("{}: cannot be opened: {}", path, std::strerror(errno));
  struct stat status {};
  if (::fstat(file.number, &status) != 0) fail("{}: cannot be examined: {}", path, std::strerror(errno));
  if (S_ISDIR(status.st_mode)) refuse("{}: a directory, where a file was expected", path);
  if (!S_ISREG(status.st_mode))
    refuse("{}: not a regular file, so it cannot be mapped (copy it to one)", path);
  if (status.st_size == 0) refuse("{}: empty", path);
  const std::size_t size = static_cast<std::size_t>(status.st_size);
  void* const memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.number, 0);
  if (memory == MAP_FAILED) fail("{}: cannot be mapped into memory: {}", path, std::strerror(errno));
  bytes_ = {static_cast<const std::uint8_t*>(memory), size};
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::uint8_t*>(bytes_.data()), bytes_.size());
}

}  // namespace fade
