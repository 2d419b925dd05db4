#include "tests/engine/system_calls.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>

namespace fade::test {
namespace {

Intercept intercept;

std::string path_of(int fd) {
  std::error_code ignored;
  return std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd), ignored).string();
}

// The result of a call that is not executed: `success`, or -1 with errno.
std::optional<ssize_t> instead(const SystemCall& call, ssize_t success) {
  const int verdict = intercept ? intercept(call) : kMake;
  if (verdict == kMake) return std::nullopt;
  if (verdict == kSkip) return success;
  errno = verdict;
  return -1;
}

}  // namespace

Intercepting::Intercepting(Intercept with) { intercept = std::move(with); }
Intercepting::~Intercepting() { intercept = nullptr; }

// NOLINTBEGIN(bugprone-reserved-identifier): the names that the linker's --wrap needs
extern "C" {

ssize_t __real_write(int fd, const void* bytes, size_t count);
int __real_fsync(int fd);
int __real_rename(const char* from, const char* to);

ssize_t __wrap_write(int fd, const void* bytes, size_t count) {
  const auto result = instead({"write", path_of(fd), ""}, static_cast<ssize_t>(count));
  return result ? *result : __real_write(fd, bytes, count);
}
int __wrap_fsync(int fd) {
  const auto result = instead({"fsync", path_of(fd), ""}, 0);
  return result ? static_cast<int>(*result) : __real_fsync(fd);
}
int __wrap_rename(const char* from, const char* to) {
  const auto result = instead({"rename", from, to}, 0);
  return result ? static_cast<int>(*result) : __real_rename(from, to);
}

}  // extern "C"
// NOLINTEND(bugprone-reserved-identifier)

}  // namespace fade::test
