// From an address in the program's code to its place in the sources.
#pragma once

#include <cstdint>
#include <string>

namespace fade::emulate {

/// "softmax_cuda.cu:41", with the path from the root of the sources; of an inlined function, followed by the
/// lines that call it: "reduce.h:60, from softmax_cuda.cu:41". Files of the emulated device and of the standard
/// library are left out. Asks addr2line (of binutils): where it finds nothing, the address itself.
std::string code_lines(uintptr_t code);

}  // namespace fade::emulate
