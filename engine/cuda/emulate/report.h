// Which thread the emulated device runs, for error messages.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "engine/cuda/emulate/cuda.h"

namespace fade::emulate {

/// "kernel softmax, block (3,0,0), thread (5,0,0)": what runs on the calling thread of the operating system,
/// by CUDA's blockIdx and threadIdx. Empty when no kernel runs.
std::string where();
/// The same without the thread.
std::string where_block(const Grid& grid);

/// From now on, a crash or a sanitizer's report within a kernel says in which thread. Repeated
/// calls do nothing.
void report_crashes();

/// The stack on which crashes of the calling thread are reported.
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

/// The order in which the threads of a thread block, and the thread blocks, take their turns. A result
/// that depends on it shows a missing barrier. Forward unless the environment variable
/// FADE_EMULATE_ORDER is `reverse`.
enum class ThreadOrder { forward, reverse };
ThreadOrder thread_order();

}  // namespace fade::emulate
