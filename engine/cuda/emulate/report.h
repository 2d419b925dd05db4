// Which thread the emulated device runs, for error messages.
#pragma once

#include <string>

namespace fade::emulate {

/// "kernel softmax, thread block (3,0,0), thread (5,0,0)": what runs on the calling thread of the operating
/// system, by CUDA's blockIdx and threadIdx. Empty when no kernel runs.
std::string where();

/// From now on, a crash or a sanitizer's report within a kernel says in which thread. Repeated
/// calls do nothing.
void report_crashes();
/// The same for overflows of the stack on the calling thread, which a signal handler cannot report on that
/// stack: gives it another one.
void report_crashes_of_this_thread();

/// The order in which the threads of a thread block, and the thread blocks, take their turns. A result
/// that depends on it shows a missing barrier. Forward (false) unless the environment variable
/// FADE_EMULATE_ORDER is `reverse`.
bool reverse_order();

}  // namespace fade::emulate
