// A stack to run on, and the switch from one to another (Boost.Context), announced to AddressSanitizer.
#pragma once

#include <boost/context/fiber.hpp>
#include <cstddef>
#include <functional>

namespace fade::emulate {

class Fiber {
 public:
  /// The stack on which the calling thread of the operating system runs.
  Fiber() = default;
  /// A stack of its own, with a guard page below it, on which `body`, given this fiber, runs once it is
  /// switched to. When `body` is done it returns the fiber to continue; it must be done before its fiber is
  /// destroyed. The first frames of stacks with different `number` are at different offsets in their pages,
  /// so that they do not compete for the same cache lines.
  Fiber(std::function<Fiber&(Fiber&)> body, size_t number);
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Called on this fiber: continues `to`. Returns when a fiber switches back.
  void switch_to(Fiber& to);

 private:
  void leave(Fiber& to, bool for_good);
  void arrive(boost::context::fiber&& from);

  boost::context::fiber context_;  // where to continue; empty while running
  const void* bottom_ = nullptr;   // of the stack, for AddressSanitizer
  size_t bytes_ = 0;
  void* fake_stack_ = nullptr;  // AddressSanitizer's
};

}  // namespace fade::emulate
