// Where the emulated device is, for errors.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "engine/cuda/emulate/cuda.h"

namespace fade::emulate {

/// "kernel softmax, block (3,0,0), thread (5,0,0)": what runs on the calling thread of the operating system.
/// Empty when no kernel does.
std::string where();
/// The same without a thread.
std::string where_block(const Grid& grid);

/// From now on, a crash or a sanitizer's report within a kernel says where. Repeated calls do nothing.
void report_crashes();

/// Where the calling thread's crashes are reported on.
class SignalStack {
 public:
  SignalStack();
  SignalStack(const SignalStack&) = delete;
  SignalStack& operator=(const SignalStack&) = delete;
  ~SignalStack();

 private:
  static constexpr size_t kBytes = 64 * 1024;
  std::unique_ptr<std::byte[]> memory_;
};

/// The order in which the threads of a block, and the blocks, get their turn. A result that depends on it
/// shows a missing barrier. Forward unless the environment variable FADE_EMULATE_ORDER is `reverse`.
enum class Order { forward, reverse };
Order thread_order();

}  // namespace fade::emulate
