// The version of the library: one in a process.
//
// Two copies of fade in one process (shared libraries of two versions, or one that was linked statically into two shared
// libraries) would be mixed: the dynamic linker gives functions and tables of kernels of the same name to the copy that it
// loaded first. Allocations of one copy would then be freed by the other.
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "engine/io/standard_streams.h"

namespace fade {

// What fade/build.h, in installed headers, refers to (FADE_VERSION_SYMBOL is library_of_headers_0_1).
extern const char FADE_VERSION_SYMBOL;
const char FADE_VERSION_SYMBOL = 0;

/// The version of the copy that was loaded first. The dynamic linker makes one variable of those of all copies, as it does
/// with their tables of kernels. Every version must keep its name and type.
inline constinit const char* version_in_process = nullptr;

namespace {

const char kVersionOfThis[] = FADE_VERSION;

// The program or shared library that an address belongs to.
const char* file_of(const char* address) {
  Dl_info info{};
  return dladdr(address, &info) != 0 && info.dli_fname ? info.dli_fname : "this program";
}

// Before all static initialisers of this copy, in which kernels register themselves.
[[gnu::constructor(101)]] void begin() {
  if (!version_in_process) version_in_process = kVersionOfThis;
  if (version_in_process == kVersionOfThis) return;
  const bool same = std::strcmp(version_in_process, kVersionOfThis) == 0;
  print_stderr("fade: two copies in one process: {} in {}, {} in {} ({})", version_in_process,
               file_of(version_in_process), kVersionOfThis, file_of(kVersionOfThis),
               same ? "link both to fade's shared libraries instead of the static ones"
                    : "build all parts of the program with the same version");
  std::fflush(nullptr);
  std::_Exit(1);
}

// Where the dynamic linker unloads a copy, another may follow.
[[gnu::destructor(101)]] void end() {
  if (version_in_process == kVersionOfThis) version_in_process = nullptr;
}

}  // namespace
}  // namespace fade
