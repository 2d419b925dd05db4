// The system calls that change files, as the engine makes them: tests can listen to them, make one fail, or
// end the process at one.
//
// The test program is linked with --wrap for each of them (tests/CMakeLists.txt).
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace fade::test {

/// One call: "write", "pwrite", "fsync" or "rename", the file it is about (of a rename: its old name), and of
/// a rename the new name.
struct SystemCall {
  std::string what, path, to;
};

/// What becomes of a call: kMake makes it, kSkip has it succeed without being made, anything else is the
/// errno with which it fails.
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
