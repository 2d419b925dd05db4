// The system calls of the engine that change files. Tests can record them, make one fail, or end the process
// at one. The test program is linked with --wrap for each of them (tests/CMakeLists.txt).
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace fade::test {

/// One call: "write", "fsync" or "rename", the path of the file (for a rename: the old one), and
/// for a rename the new path.
struct SystemCall {
  std::string what, path, to;
};

/// Decides about a call: kMake executes it, kSkip reports success without executing it, any other value is
/// the errno with which it fails.
inline constexpr int kMake = 0, kSkip = -1;
using Intercept = std::function<int(const SystemCall&)>;

/// While in scope, every call of this process goes through `intercept` first. One at a time.
class Intercepting {
 public:
  explicit Intercepting(Intercept intercept);
  ~Intercepting();
  Intercepting(const Intercepting&) = delete;
  Intercepting& operator=(const Intercepting&) = delete;
};

}  // namespace fade::test
