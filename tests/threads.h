// The number of threads, for a test.
#pragma once

#include "engine/parallel.h"

namespace fade::test {

/// While in scope, n threads work (engine/parallel.h).
class Threads {
 public:
  /// From now on; n ≥ 1.
  explicit Threads(int n) : before_(threads()) { set_threads(n); }
  ~Threads() { set_threads(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

}  // namespace fade::test
