#include "cli/version.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <hwy/highway.h>

#include <vector>

#include "engine/device.h"

namespace fade {

std::string version_text() {
#ifdef __clang__
  const std::string compiler = "Clang " __clang_version__;
#else
  const std::string compiler = "GCC " __VERSION__;
#endif
  std::vector<std::string_view> devices;
  for (const Device device : {Device::cpu, Device::cuda})
    if (has_backend(device)) devices.push_back(name_of(device));
  const int64_t usable = hwy::SupportedTargets() & HWY_TARGETS;
  const int64_t best = usable & -usable;  // the lowest bit stands for the best instruction set
  const std::string_view set = hwy::TargetName(best);
  return fmt::format("fade {}{}\ncompiler: {}, {}\ndevices: {}\ninstruction set: {}", kVersion,
                     *kCommit ? fmt::format(" (commit {})", kCommit) : "", compiler, kBuildType,
                     fmt::join(devices, ", "),
                     set.starts_with("AVX3") ? "AVX-512" : set);  // Highway counts on from AVX2
}

}  // namespace fade
