// `fade --version`.
#pragma once

#include <string>

namespace fade {

// Filled in by CMake.
extern const char* const kVersion;    ///< "0.1.0"
extern const char* const kCommit;     ///< of git, short; "" when it was not known
extern const char* const kBuildType;  ///< "Release"

/// What a report about fade should hold, a line each: version and commit; compiler and build type; the
/// devices of this build that this machine has; and the instruction set that the CPU's loops use here.
std::string version_text();

}  // namespace fade
