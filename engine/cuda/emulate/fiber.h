// A stack to run on, and the switch from one to another (Boost.Context), announced to AddressSanitizer.
#pragma once

#include <boost/context/fiber.hpp>
#include <cstddef>
#include <functional>

namespace fade::emulate {

class Fiber {
 public:
  /// The stack that the calling thread of the operating system runs on.
  Fiber() = default;
  /// A stack of its own, with a guard page below, on which `body` runs once it is switched to. `body` returns
  /// the fiber to go on with when it is done; a fiber is to be done before it is destroyed. Stacks number
  /// `number` start at different places in their pages, so that they do not compete for the same lines of the
  /// cache.
  Fiber(std::function<Fiber&()> body, size_t number);
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Called on this fiber: goes on with `to`. Returns when something switches back.
  void switch_to(Fiber& to);

 private:
  void leave(Fiber& to, bool for_good);
  void arrive(boost::context::fiber&& from);

  boost::context::fiber context_;  // where to go on; empty while running
  const void* bottom_ = nullptr;   // of the stack, as AddressSanitizer wants to know it
  size_t bytes_ = 0;
  void* fake_stack_ = nullptr;  // AddressSanitizer's
};

}  // namespace fade::emulate
