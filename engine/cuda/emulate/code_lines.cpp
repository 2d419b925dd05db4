#include "engine/cuda/emulate/code_lines.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <link.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <regex>

namespace fade::emulate {

std::string code_lines(uintptr_t code) {
  Dl_info unused{};
  link_map* module = nullptr;
  std::string lines;
  if (::dladdr1(reinterpret_cast<void*>(code), &unused, reinterpret_cast<void**>(&module), RTLD_DL_LINKMAP)) {
    std::error_code failed;
    const std::string file =
        *module->l_name ? module->l_name : std::filesystem::read_symlink("/proc/self/exe", failed).string();
    const std::string quoted = std::regex_replace(file, std::regex("'"), R"('\'')");
    const std::string command =
        fmt::format("addr2line -i -e '{}' {:#x} 2>/dev/null", quoted, code - module->l_addr);
    std::FILE* const pipe = ::popen(command.c_str(), "r");
    std::array<char, 4096> text;
    while (pipe && std::fgets(text.data(), text.size(), pipe)) {
      std::string line(text.data(), std::strcspn(text.data(), "\n"));
      line.resize(std::min(line.size(), line.find(" (discriminator ")));
      const bool left_out = line.starts_with("/usr/") || line.find("/cuda/emulate/") != std::string::npos ||
                            line.find("/cuda/async_copy.h:") != std::string::npos || line.starts_with("??");
      if (!left_out)
        lines += (lines.empty() ? "" : ", from ") +
                 std::filesystem::path(line).lexically_normal().relative_path().string();
    }
    if (pipe) ::pclose(pipe);
  }
  return lines.empty() ? fmt::format("address {:#x}", code) : lines;
}

}  // namespace fade::emulate
